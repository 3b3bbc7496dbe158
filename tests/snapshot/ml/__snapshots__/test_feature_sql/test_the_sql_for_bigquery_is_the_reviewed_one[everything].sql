WITH `t9` AS (
  SELECT
    `t0`.`year`,
    `t0`.`month`,
    `t0`.`day`,
    `t0`.`dep_time`,
    `t0`.`sched_dep_time`,
    `t0`.`dep_delay`,
    `t0`.`arr_time`,
    `t0`.`sched_arr_time`,
    `t0`.`arr_delay`,
    `t0`.`carrier`,
    `t0`.`flight`,
    `t0`.`tailnum`,
    `t0`.`origin`,
    `t0`.`dest`,
    `t0`.`air_time`,
    `t0`.`distance`,
    `t0`.`hour`,
    `t0`.`minute`,
    `t0`.`time_hour`,
    DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) AS `day_number`,
    (
      `t0`.`hour` * 60
    ) + `t0`.`minute` AS `sched_dep_min`,
    (
      DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) * 24
    ) + `t0`.`hour` AS `hour_number`,
    (
      DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) * 1440
    ) + (
      (
        `t0`.`hour` * 60
      ) + `t0`.`minute`
    ) AS `minute_number`
  FROM `flights` AS `t0`
)
SELECT
  `t16`.`year`,
  `t16`.`month`,
  `t16`.`day`,
  `t16`.`flight`,
  `t16`.`sched_dep_time`,
  `t16`.`day_number`,
  `t16`.`distance`,
  CAST(`t16`.`sched_dep_min` AS FLOAT64) AS `sched_dep_min`,
  CAST(MOD(
    (
      (
        (
          CAST(FLOOR(ieee_divide(`t16`.`sched_arr_time`, 100)) AS INT64) * 60
        ) + (
          MOD(`t16`.`sched_arr_time`, 100)
        )
      ) - `t16`.`sched_dep_min`
    ) + 1440,
    1440
  ) AS FLOAT64) AS `sched_block_min`,
  CAST(MOD(`t16`.`day_number` + 3, 7) AS FLOAT64) AS `day_of_week`,
  CAST(`t28`.`departures_last_hour` AS FLOAT64) AS `departures_last_hour`,
  CAST(`t29`.`carrier_departures_last_hour` AS FLOAT64) AS `carrier_departures_last_hour`,
  `t35`.`temp`,
  `t35`.`dewp`,
  `t35`.`humid`,
  `t35`.`wind_dir`,
  `t35`.`wind_speed`,
  `t35`.`precip`,
  `t35`.`pressure`,
  `t35`.`visib`,
  CAST(`t16`.`year` - `t23`.`plane_year` AS FLOAT64) AS `plane_age`,
  CAST(`t23`.`seats` AS FLOAT64) AS `seats`,
  `t38`.`route_air_time_28d`,
  `t38`.`route_arr_delay_28d`,
  `t39`.`carrier_arr_delay_28d`,
  `t16`.`origin`,
  `t16`.`dest`,
  `t16`.`carrier`,
  CASE
    WHEN CAST(FLOOR(ieee_divide(`t16`.`sched_dep_min`, 60)) AS INT64) < 5
    THEN 'night'
    WHEN CAST(FLOOR(ieee_divide(`t16`.`sched_dep_min`, 60)) AS INT64) < 10
    THEN 'morning'
    WHEN CAST(FLOOR(ieee_divide(`t16`.`sched_dep_min`, 60)) AS INT64) < 14
    THEN 'midday'
    WHEN CAST(FLOOR(ieee_divide(`t16`.`sched_dep_min`, 60)) AS INT64) < 18
    THEN 'afternoon'
    ELSE 'evening'
  END AS `hour_band`,
  `t23`.`engine`,
  `t16`.`air_time` AS `target`
FROM `t9` AS `t16`
LEFT OUTER JOIN (
  SELECT
    `t33`.`origin`,
    `t33`.`hour_number`,
    `t14`.`temp`,
    `t14`.`dewp`,
    `t14`.`humid`,
    `t14`.`wind_dir`,
    `t14`.`wind_speed`,
    `t14`.`precip`,
    `t14`.`pressure`,
    `t14`.`visib`
  FROM (
    SELECT
      `t19`.`origin`,
      `t19`.`hour_number`,
      MAX(`t19`.`observed`) OVER (
        PARTITION BY `t19`.`origin`
        ORDER BY `t19`.`hour_number` ASC
        RANGE BETWEEN 6 preceding AND CURRENT ROW
      ) AS `observed`
    FROM (
      SELECT
        `t15`.`origin`,
        `t15`.`hour_number`,
        MAX(`t15`.`observed`) AS `observed`
      FROM (
        SELECT
          *
        FROM (
          SELECT
            `t0`.`origin`,
            (
              DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) * 24
            ) + `t0`.`hour` AS `hour_number`,
            CAST(NULL AS INT64) AS `observed`
          FROM `flights` AS `t0`
        ) AS `t8`
        UNION ALL
        SELECT
          *
        FROM (
          SELECT
            `t1`.`origin`,
            (
              DATE_DIFF(DATE(`t1`.`year`, `t1`.`month`, `t1`.`day`), DATE(1970, 1, 1), DAY) * 24
            ) + `t1`.`hour` AS `hour_number`,
            (
              DATE_DIFF(DATE(`t1`.`year`, `t1`.`month`, `t1`.`day`), DATE(1970, 1, 1), DAY) * 24
            ) + `t1`.`hour` AS `observed`
          FROM `weather` AS `t1`
        ) AS `t11`
      ) AS `t15`
      GROUP BY
        1,
        2
    ) AS `t19`
  ) AS `t33`
  INNER JOIN (
    SELECT
      `t1`.`origin`,
      `t1`.`temp`,
      `t1`.`dewp`,
      `t1`.`humid`,
      `t1`.`wind_dir`,
      `t1`.`wind_speed`,
      `t1`.`precip`,
      `t1`.`pressure`,
      `t1`.`visib`,
      (
        DATE_DIFF(DATE(`t1`.`year`, `t1`.`month`, `t1`.`day`), DATE(1970, 1, 1), DAY) * 24
      ) + `t1`.`hour` AS `observed`
    FROM `weather` AS `t1`
  ) AS `t14`
    ON `t33`.`origin` = `t14`.`origin` AND `t33`.`observed` = `t14`.`observed`
) AS `t35`
  ON `t16`.`origin` = `t35`.`origin` AND `t16`.`hour_number` = `t35`.`hour_number`
LEFT OUTER JOIN (
  SELECT
    `t4`.`tailnum`,
    `t4`.`year`,
    `t12`.`year` AS `plane_year`,
    `t12`.`seats`,
    `t12`.`engine`
  FROM (
    SELECT DISTINCT
      `t0`.`tailnum`,
      `t0`.`year`
    FROM `flights` AS `t0`
  ) AS `t4`
  INNER JOIN (
    SELECT
      `t2`.`tailnum`,
      `t2`.`year`,
      `t2`.`type`,
      `t2`.`manufacturer`,
      `t2`.`model`,
      `t2`.`engines`,
      `t2`.`seats`,
      `t2`.`speed`,
      `t2`.`engine`,
      `t2`.`as_of_year`,
      COALESCE(
        LEAD(`t2`.`as_of_year`) OVER (PARTITION BY `t2`.`tailnum` ORDER BY `t2`.`as_of_year` ASC),
        9999
      ) AS `until`
    FROM `planes` AS `t2`
  ) AS `t12`
    ON `t4`.`tailnum` = `t12`.`tailnum`
    AND `t4`.`year` >= `t12`.`as_of_year`
    AND `t4`.`year` < `t12`.`until`
) AS `t23`
  ON `t16`.`tailnum` = `t23`.`tailnum` AND `t16`.`year` = `t23`.`year`
LEFT OUTER JOIN (
  SELECT
    `t17`.`origin`,
    `t17`.`day_number`,
    `t17`.`sched_dep_min`,
    SUM(`t17`.`departures`) OVER (
      PARTITION BY `t17`.`origin`, `t17`.`day_number`
      ORDER BY `t17`.`sched_dep_min` ASC
      RANGE BETWEEN 59 preceding AND CURRENT ROW
    ) AS `departures_last_hour`
  FROM (
    SELECT
      `t13`.`origin`,
      `t13`.`day_number`,
      `t13`.`sched_dep_min`,
      COUNT(*) AS `departures`
    FROM `t9` AS `t13`
    GROUP BY
      1,
      2,
      3
  ) AS `t17`
) AS `t28`
  ON `t16`.`origin` = `t28`.`origin`
  AND `t16`.`day_number` = `t28`.`day_number`
  AND `t16`.`sched_dep_min` = `t28`.`sched_dep_min`
LEFT OUTER JOIN (
  SELECT
    `t18`.`origin`,
    `t18`.`carrier`,
    `t18`.`day_number`,
    `t18`.`sched_dep_min`,
    SUM(`t18`.`departures`) OVER (
      PARTITION BY `t18`.`origin`, `t18`.`carrier`, `t18`.`day_number`
      ORDER BY `t18`.`sched_dep_min` ASC
      RANGE BETWEEN 59 preceding AND CURRENT ROW
    ) AS `carrier_departures_last_hour`
  FROM (
    SELECT
      `t13`.`origin`,
      `t13`.`carrier`,
      `t13`.`day_number`,
      `t13`.`sched_dep_min`,
      COUNT(*) AS `departures`
    FROM `t9` AS `t13`
    GROUP BY
      1,
      2,
      3,
      4
  ) AS `t18`
) AS `t29`
  ON `t16`.`origin` = `t29`.`origin`
  AND `t16`.`carrier` = `t29`.`carrier`
  AND `t16`.`day_number` = `t29`.`day_number`
  AND `t16`.`sched_dep_min` = `t29`.`sched_dep_min`
LEFT OUTER JOIN (
  SELECT
    `t31`.`origin`,
    `t31`.`dest`,
    `t31`.`day_number`,
    ieee_divide(
      SUM(`t31`.`air_time`) OVER (
        PARTITION BY `t31`.`origin`, `t31`.`dest`
        ORDER BY `t31`.`day_number` ASC
        RANGE BETWEEN 28 preceding AND 1 preceding
      ),
      NULLIF(
        SUM(`t31`.`landings`) OVER (
          PARTITION BY `t31`.`origin`, `t31`.`dest`
          ORDER BY `t31`.`day_number` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        0
      )
    ) AS `route_air_time_28d`,
    ieee_divide(
      SUM(`t31`.`arr_delay`) OVER (
        PARTITION BY `t31`.`origin`, `t31`.`dest`
        ORDER BY `t31`.`day_number` ASC
        RANGE BETWEEN 28 preceding AND 1 preceding
      ),
      NULLIF(
        SUM(`t31`.`landings`) OVER (
          PARTITION BY `t31`.`origin`, `t31`.`dest`
          ORDER BY `t31`.`day_number` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        0
      )
    ) AS `route_arr_delay_28d`
  FROM (
    SELECT
      `t24`.`origin`,
      `t24`.`dest`,
      `t24`.`day_number`,
      SUM(`t24`.`air_time`) AS `air_time`,
      SUM(`t24`.`arr_delay`) AS `arr_delay`,
      SUM(`t24`.`landings`) AS `landings`
    FROM (
      SELECT
        *
      FROM (
        SELECT
          `t0`.`origin`,
          `t0`.`dest`,
          DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) AS `day_number`,
          0.0 AS `air_time`,
          0.0 AS `arr_delay`,
          0 AS `landings`
        FROM `flights` AS `t0`
      ) AS `t5`
      UNION ALL
      SELECT
        *
      FROM (
        SELECT
          `t0`.`origin`,
          `t0`.`dest`,
          CAST(FLOOR(
            ieee_divide(
              (
                DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) * 1440
              ) + (
                (
                  `t0`.`hour` * 60
                ) + `t0`.`minute`
              ) + GREATEST(`t0`.`dep_delay`, 0) + `t0`.`air_time` + 180,
              1440
            )
          ) AS INT64) AS `day_number`,
          `t0`.`air_time`,
          `t0`.`arr_delay`,
          1 AS `landings`
        FROM `flights` AS `t0`
        WHERE
          `t0`.`air_time` IS NOT NULL
          AND `t0`.`arr_delay` IS NOT NULL
          AND `t0`.`dep_delay` IS NOT NULL
      ) AS `t21`
    ) AS `t24`
    GROUP BY
      1,
      2,
      3
  ) AS `t31`
) AS `t38`
  ON `t16`.`origin` = `t38`.`origin`
  AND `t16`.`dest` = `t38`.`dest`
  AND `t16`.`day_number` = `t38`.`day_number`
LEFT OUTER JOIN (
  SELECT
    `t32`.`origin`,
    `t32`.`carrier`,
    `t32`.`day_number`,
    ieee_divide(
      SUM(`t32`.`arr_delay`) OVER (
        PARTITION BY `t32`.`origin`, `t32`.`carrier`
        ORDER BY `t32`.`day_number` ASC
        RANGE BETWEEN 28 preceding AND 1 preceding
      ),
      NULLIF(
        SUM(`t32`.`landings`) OVER (
          PARTITION BY `t32`.`origin`, `t32`.`carrier`
          ORDER BY `t32`.`day_number` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        0
      )
    ) AS `carrier_arr_delay_28d`
  FROM (
    SELECT
      `t25`.`origin`,
      `t25`.`carrier`,
      `t25`.`day_number`,
      SUM(`t25`.`arr_delay`) AS `arr_delay`,
      SUM(`t25`.`landings`) AS `landings`
    FROM (
      SELECT
        *
      FROM (
        SELECT
          `t0`.`origin`,
          `t0`.`carrier`,
          DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) AS `day_number`,
          0.0 AS `arr_delay`,
          0 AS `landings`
        FROM `flights` AS `t0`
      ) AS `t6`
      UNION ALL
      SELECT
        *
      FROM (
        SELECT
          `t0`.`origin`,
          `t0`.`carrier`,
          CAST(FLOOR(
            ieee_divide(
              (
                DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) * 1440
              ) + (
                (
                  `t0`.`hour` * 60
                ) + `t0`.`minute`
              ) + GREATEST(`t0`.`dep_delay`, 0) + `t0`.`air_time` + 180,
              1440
            )
          ) AS INT64) AS `day_number`,
          `t0`.`arr_delay`,
          1 AS `landings`
        FROM `flights` AS `t0`
        WHERE
          `t0`.`air_time` IS NOT NULL
          AND `t0`.`arr_delay` IS NOT NULL
          AND `t0`.`dep_delay` IS NOT NULL
      ) AS `t22`
    ) AS `t25`
    GROUP BY
      1,
      2,
      3
  ) AS `t32`
) AS `t39`
  ON `t16`.`origin` = `t39`.`origin`
  AND `t16`.`carrier` = `t39`.`carrier`
  AND `t16`.`day_number` = `t39`.`day_number`
