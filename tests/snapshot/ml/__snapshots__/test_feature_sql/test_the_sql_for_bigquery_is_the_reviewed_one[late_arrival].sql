WITH `t2` AS (
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
      DATE_DIFF(DATE(`t0`.`year`, `t0`.`month`, `t0`.`day`), DATE(1970, 1, 1), DAY) * 1440
    ) + (
      (
        `t0`.`hour` * 60
      ) + `t0`.`minute`
    ) AS `minute_number`
  FROM `flights` AS `t0`
), `t26` AS (
  SELECT
    `t19`.`origin`,
    `t19`.`dest`,
    `t19`.`service_day`,
    SUM(`t19`.`air_time`) AS `air_time`,
    SUM(`t19`.`arr_delay`) AS `arr_delay`,
    SUM(`t19`.`landings`) AS `landings`
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t5`.`origin`,
        `t5`.`dest`,
        CAST(FLOOR(ieee_divide(`t5`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
        0.0 AS `air_time`,
        0.0 AS `arr_delay`,
        0 AS `landings`
      FROM `t2` AS `t5`
    ) AS `t9`
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        `t5`.`origin`,
        `t5`.`dest`,
        CAST(FLOOR(
          ieee_divide(
            (
              `t5`.`minute_number` + GREATEST(`t5`.`dep_delay`, 0) + `t5`.`air_time` + 180
            ) - 300,
            1440
          )
        ) AS INT64) AS `service_day`,
        `t5`.`air_time`,
        `t5`.`arr_delay`,
        1 AS `landings`
      FROM `t2` AS `t5`
      WHERE
        `t5`.`air_time` IS NOT NULL
        AND `t5`.`arr_delay` IS NOT NULL
        AND `t5`.`dep_delay` IS NOT NULL
    ) AS `t17`
  ) AS `t19`
  GROUP BY
    1,
    2,
    3
), `t27` AS (
  SELECT
    `t20`.`origin`,
    `t20`.`carrier`,
    `t20`.`service_day`,
    SUM(`t20`.`arr_delay`) AS `arr_delay`,
    SUM(`t20`.`landings`) AS `landings`
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t5`.`origin`,
        `t5`.`carrier`,
        CAST(FLOOR(ieee_divide(`t5`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
        0.0 AS `arr_delay`,
        0 AS `landings`
      FROM `t2` AS `t5`
    ) AS `t10`
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        `t5`.`origin`,
        `t5`.`carrier`,
        CAST(FLOOR(
          ieee_divide(
            (
              `t5`.`minute_number` + GREATEST(`t5`.`dep_delay`, 0) + `t5`.`air_time` + 180
            ) - 300,
            1440
          )
        ) AS INT64) AS `service_day`,
        `t5`.`arr_delay`,
        1 AS `landings`
      FROM `t2` AS `t5`
      WHERE
        `t5`.`air_time` IS NOT NULL
        AND `t5`.`arr_delay` IS NOT NULL
        AND `t5`.`dep_delay` IS NOT NULL
    ) AS `t18`
  ) AS `t20`
  GROUP BY
    1,
    2,
    3
)
SELECT
  `t25`.`year`,
  `t25`.`month`,
  `t25`.`day`,
  `t25`.`flight`,
  `t25`.`sched_dep_time`,
  `t25`.`day_number`,
  `t25`.`distance`,
  CAST(`t25`.`sched_dep_min` AS FLOAT64) AS `sched_dep_min`,
  CAST(`t25`.`sched_block_min` AS FLOAT64) AS `sched_block_min`,
  CAST(MOD(`t25`.`day_number` + 3, 7) AS FLOAT64) AS `day_of_week`,
  `t38`.`origin_dep_delay_3h`,
  `t39`.`carrier_dep_delay_3h`,
  `t48`.`route_arr_delay_28d`,
  `t48`.`route_arr_delay_1d`,
  `t49`.`carrier_arr_delay_28d`,
  `t49`.`carrier_arr_delay_1d`,
  `t41`.`temp`,
  `t41`.`dewp`,
  `t41`.`humid`,
  `t41`.`wind_dir`,
  `t41`.`wind_speed`,
  `t41`.`precip`,
  `t41`.`pressure`,
  `t41`.`visib`,
  `t25`.`origin`,
  `t25`.`dest`,
  `t25`.`carrier`,
  CASE
    WHEN CAST(FLOOR(ieee_divide(`t25`.`sched_dep_min`, 60)) AS INT64) < 5
    THEN 'night'
    WHEN CAST(FLOOR(ieee_divide(`t25`.`sched_dep_min`, 60)) AS INT64) < 10
    THEN 'morning'
    WHEN CAST(FLOOR(ieee_divide(`t25`.`sched_dep_min`, 60)) AS INT64) < 14
    THEN 'midday'
    WHEN CAST(FLOOR(ieee_divide(`t25`.`sched_dep_min`, 60)) AS INT64) < 18
    THEN 'afternoon'
    ELSE 'evening'
  END AS `hour_band`,
  CASE
    WHEN `t25`.`arr_delay` >= 15.0
    THEN 1.0
    WHEN `t25`.`arr_delay` < 15.0
    THEN 0.0
    ELSE NULL
  END AS `target`
FROM (
  SELECT
    `t5`.`year`,
    `t5`.`month`,
    `t5`.`day`,
    `t5`.`dep_time`,
    `t5`.`sched_dep_time`,
    `t5`.`dep_delay`,
    `t5`.`arr_time`,
    `t5`.`sched_arr_time`,
    `t5`.`arr_delay`,
    `t5`.`carrier`,
    `t5`.`flight`,
    `t5`.`tailnum`,
    `t5`.`origin`,
    `t5`.`dest`,
    `t5`.`air_time`,
    `t5`.`distance`,
    `t5`.`hour`,
    `t5`.`minute`,
    `t5`.`time_hour`,
    `t5`.`day_number`,
    `t5`.`sched_dep_min`,
    `t5`.`minute_number`,
    CAST(FLOOR(ieee_divide(`t5`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
    CAST(FLOOR(ieee_divide(`t5`.`minute_number`, 15)) AS INT64) AS `quarter`,
    CAST(FLOOR(ieee_divide((
      `t5`.`minute_number` + 60
    ) - 52, 60)) AS INT64) - 1 AS `observed_hour`,
    MOD(
      (
        (
          (
            CAST(FLOOR(ieee_divide(`t5`.`sched_arr_time`, 100)) AS INT64) * 60
          ) + (
            MOD(`t5`.`sched_arr_time`, 100)
          )
        ) - `t5`.`sched_dep_min`
      ) + 1440,
      1440
    ) AS `sched_block_min`,
    CAST(FLOOR(
      ieee_divide(
        (
          ieee_divide(`t5`.`distance`, 7.5) + 70
        ) - (
          MOD(
            (
              (
                (
                  CAST(FLOOR(ieee_divide(`t5`.`sched_arr_time`, 100)) AS INT64) * 60
                ) + (
                  MOD(`t5`.`sched_arr_time`, 100)
                )
              ) - `t5`.`sched_dep_min`
            ) + 1440,
            1440
          )
        ),
        60
      )
    ) AS INT64) AS `time_zone`
  FROM `t2` AS `t5`
) AS `t25`
LEFT OUTER JOIN (
  SELECT
    `t33`.`origin`,
    `t33`.`observed_hour`,
    `t6`.`temp`,
    `t6`.`dewp`,
    `t6`.`humid`,
    `t6`.`wind_dir`,
    `t6`.`wind_speed`,
    `t6`.`precip`,
    `t6`.`pressure`,
    `t6`.`visib`
  FROM (
    SELECT
      `t21`.`origin`,
      `t21`.`observed_hour`,
      MAX(`t21`.`observed`) OVER (
        PARTITION BY `t21`.`origin`
        ORDER BY `t21`.`observed_hour` ASC
        RANGE BETWEEN 6 preceding AND CURRENT ROW
      ) AS `observed`
    FROM (
      SELECT
        `t14`.`origin`,
        `t14`.`observed_hour`,
        MAX(`t14`.`observed`) AS `observed`
      FROM (
        SELECT
          *
        FROM (
          SELECT
            `t5`.`origin`,
            CAST(FLOOR(ieee_divide((
              `t5`.`minute_number` + 60
            ) - 52, 60)) AS INT64) - 1 AS `observed_hour`,
            CAST(NULL AS INT64) AS `observed`
          FROM `t2` AS `t5`
        ) AS `t11`
        UNION ALL
        SELECT
          *
        FROM (
          SELECT
            `t1`.`origin`,
            (
              DATE_DIFF(DATE(`t1`.`year`, `t1`.`month`, `t1`.`day`), DATE(1970, 1, 1), DAY) * 24
            ) + `t1`.`hour` AS `observed_hour`,
            (
              DATE_DIFF(DATE(`t1`.`year`, `t1`.`month`, `t1`.`day`), DATE(1970, 1, 1), DAY) * 24
            ) + `t1`.`hour` AS `observed`
          FROM `weather` AS `t1`
        ) AS `t4`
      ) AS `t14`
      GROUP BY
        1,
        2
    ) AS `t21`
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
  ) AS `t6`
    ON `t33`.`origin` = `t6`.`origin` AND `t33`.`observed` = `t6`.`observed`
) AS `t41`
  ON `t25`.`origin` = `t41`.`origin` AND `t25`.`observed_hour` = `t41`.`observed_hour`
LEFT OUTER JOIN (
  SELECT
    `t22`.`origin`,
    `t22`.`service_day`,
    `t22`.`quarter`,
    ieee_divide(
      SUM(`t22`.`delay`) OVER (
        PARTITION BY `t22`.`origin`, `t22`.`service_day`
        ORDER BY `t22`.`quarter` ASC
        RANGE BETWEEN 12 preceding AND 5 preceding
      ),
      NULLIF(
        SUM(`t22`.`left`) OVER (
          PARTITION BY `t22`.`origin`, `t22`.`service_day`
          ORDER BY `t22`.`quarter` ASC
          RANGE BETWEEN 12 preceding AND 5 preceding
        ),
        0
      )
    ) AS `origin_dep_delay_3h`
  FROM (
    SELECT
      `t15`.`origin`,
      `t15`.`service_day`,
      `t15`.`quarter`,
      SUM(`t15`.`delay`) AS `delay`,
      SUM(`t15`.`count`) AS `left`
    FROM (
      SELECT
        *
      FROM (
        SELECT
          `t5`.`origin`,
          CAST(FLOOR(ieee_divide(`t5`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
          CAST(FLOOR(ieee_divide(`t5`.`minute_number`, 15)) AS INT64) AS `quarter`,
          0.0 AS `delay`,
          0 AS `count`
        FROM `t2` AS `t5`
      ) AS `t7`
      UNION ALL
      SELECT
        *
      FROM (
        SELECT
          `t5`.`origin`,
          CAST(FLOOR(
            ieee_divide((
              `t5`.`minute_number` + CAST(TRUNC(`t5`.`dep_delay`) AS INT64)
            ) - 300, 1440)
          ) AS INT64) AS `service_day`,
          CAST(FLOOR(ieee_divide(`t5`.`minute_number` + CAST(TRUNC(`t5`.`dep_delay`) AS INT64), 15)) AS INT64) AS `quarter`,
          `t5`.`dep_delay` AS `delay`,
          1 AS `count`
        FROM `t2` AS `t5`
        WHERE
          `t5`.`dep_delay` IS NOT NULL
      ) AS `t12`
    ) AS `t15`
    GROUP BY
      1,
      2,
      3
  ) AS `t22`
) AS `t38`
  ON `t25`.`origin` = `t38`.`origin`
  AND `t25`.`service_day` = `t38`.`service_day`
  AND `t25`.`quarter` = `t38`.`quarter`
LEFT OUTER JOIN (
  SELECT
    `t23`.`origin`,
    `t23`.`carrier`,
    `t23`.`service_day`,
    `t23`.`quarter`,
    ieee_divide(
      SUM(`t23`.`delay`) OVER (
        PARTITION BY `t23`.`origin`, `t23`.`carrier`, `t23`.`service_day`
        ORDER BY `t23`.`quarter` ASC
        RANGE BETWEEN 12 preceding AND 5 preceding
      ),
      NULLIF(
        SUM(`t23`.`left`) OVER (
          PARTITION BY `t23`.`origin`, `t23`.`carrier`, `t23`.`service_day`
          ORDER BY `t23`.`quarter` ASC
          RANGE BETWEEN 12 preceding AND 5 preceding
        ),
        0
      )
    ) AS `carrier_dep_delay_3h`
  FROM (
    SELECT
      `t16`.`origin`,
      `t16`.`carrier`,
      `t16`.`service_day`,
      `t16`.`quarter`,
      SUM(`t16`.`delay`) AS `delay`,
      SUM(`t16`.`count`) AS `left`
    FROM (
      SELECT
        *
      FROM (
        SELECT
          `t5`.`origin`,
          `t5`.`carrier`,
          CAST(FLOOR(ieee_divide(`t5`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
          CAST(FLOOR(ieee_divide(`t5`.`minute_number`, 15)) AS INT64) AS `quarter`,
          0.0 AS `delay`,
          0 AS `count`
        FROM `t2` AS `t5`
      ) AS `t8`
      UNION ALL
      SELECT
        *
      FROM (
        SELECT
          `t5`.`origin`,
          `t5`.`carrier`,
          CAST(FLOOR(
            ieee_divide((
              `t5`.`minute_number` + CAST(TRUNC(`t5`.`dep_delay`) AS INT64)
            ) - 300, 1440)
          ) AS INT64) AS `service_day`,
          CAST(FLOOR(ieee_divide(`t5`.`minute_number` + CAST(TRUNC(`t5`.`dep_delay`) AS INT64), 15)) AS INT64) AS `quarter`,
          `t5`.`dep_delay` AS `delay`,
          1 AS `count`
        FROM `t2` AS `t5`
        WHERE
          `t5`.`dep_delay` IS NOT NULL
      ) AS `t13`
    ) AS `t16`
    GROUP BY
      1,
      2,
      3,
      4
  ) AS `t23`
) AS `t39`
  ON `t25`.`origin` = `t39`.`origin`
  AND `t25`.`carrier` = `t39`.`carrier`
  AND `t25`.`service_day` = `t39`.`service_day`
  AND `t25`.`quarter` = `t39`.`quarter`
LEFT OUTER JOIN (
  SELECT
    `t31`.`origin`,
    `t31`.`dest`,
    `t31`.`service_day`,
    CASE
      WHEN `t44`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t31`.`air_time`) OVER (
          PARTITION BY `t31`.`origin`, `t31`.`dest`
          ORDER BY `t31`.`service_day` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t31`.`landings`) OVER (
            PARTITION BY `t31`.`origin`, `t31`.`dest`
            ORDER BY `t31`.`service_day` ASC
            RANGE BETWEEN 28 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_28d`,
    CASE
      WHEN `t44`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t31`.`air_time`) OVER (
          PARTITION BY `t31`.`origin`, `t31`.`dest`
          ORDER BY `t31`.`service_day` ASC
          RANGE BETWEEN 7 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t31`.`landings`) OVER (
            PARTITION BY `t31`.`origin`, `t31`.`dest`
            ORDER BY `t31`.`service_day` ASC
            RANGE BETWEEN 7 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_7d`,
    CASE
      WHEN `t44`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t31`.`air_time`) OVER (
          PARTITION BY `t31`.`origin`, `t31`.`dest`
          ORDER BY `t31`.`service_day` ASC
          RANGE BETWEEN 1 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t31`.`landings`) OVER (
            PARTITION BY `t31`.`origin`, `t31`.`dest`
            ORDER BY `t31`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_1d`,
    CASE
      WHEN `t44`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t31`.`arr_delay`) OVER (
          PARTITION BY `t31`.`origin`, `t31`.`dest`
          ORDER BY `t31`.`service_day` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t31`.`landings`) OVER (
            PARTITION BY `t31`.`origin`, `t31`.`dest`
            ORDER BY `t31`.`service_day` ASC
            RANGE BETWEEN 28 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_arr_delay_28d`,
    CASE
      WHEN `t44`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t31`.`arr_delay`) OVER (
          PARTITION BY `t31`.`origin`, `t31`.`dest`
          ORDER BY `t31`.`service_day` ASC
          RANGE BETWEEN 1 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t31`.`landings`) OVER (
            PARTITION BY `t31`.`origin`, `t31`.`dest`
            ORDER BY `t31`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_arr_delay_1d`
  FROM `t26` AS `t31`
  INNER JOIN (
    SELECT
      `t36`.`service_day`,
      SUM(`t36`.`landings`) OVER (ORDER BY `t36`.`service_day` ASC RANGE BETWEEN 3 preceding AND 1 preceding) AS `fresh`
    FROM (
      SELECT
        `t28`.`service_day`,
        SUM(`t28`.`landings`) AS `landings`
      FROM `t26` AS `t28`
      GROUP BY
        1
    ) AS `t36`
  ) AS `t44`
    ON `t31`.`service_day` = `t44`.`service_day`
) AS `t48`
  ON `t25`.`origin` = `t48`.`origin`
  AND `t25`.`dest` = `t48`.`dest`
  AND `t25`.`service_day` = `t48`.`service_day`
LEFT OUTER JOIN (
  SELECT
    `t32`.`origin`,
    `t32`.`carrier`,
    `t32`.`service_day`,
    CASE
      WHEN `t45`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t32`.`arr_delay`) OVER (
          PARTITION BY `t32`.`origin`, `t32`.`carrier`
          ORDER BY `t32`.`service_day` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t32`.`landings`) OVER (
            PARTITION BY `t32`.`origin`, `t32`.`carrier`
            ORDER BY `t32`.`service_day` ASC
            RANGE BETWEEN 28 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `carrier_arr_delay_28d`,
    CASE
      WHEN `t45`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t32`.`arr_delay`) OVER (
          PARTITION BY `t32`.`origin`, `t32`.`carrier`
          ORDER BY `t32`.`service_day` ASC
          RANGE BETWEEN 1 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t32`.`landings`) OVER (
            PARTITION BY `t32`.`origin`, `t32`.`carrier`
            ORDER BY `t32`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `carrier_arr_delay_1d`
  FROM `t27` AS `t32`
  INNER JOIN (
    SELECT
      `t37`.`service_day`,
      SUM(`t37`.`landings`) OVER (ORDER BY `t37`.`service_day` ASC RANGE BETWEEN 3 preceding AND 1 preceding) AS `fresh`
    FROM (
      SELECT
        `t29`.`service_day`,
        SUM(`t29`.`landings`) AS `landings`
      FROM `t27` AS `t29`
      GROUP BY
        1
    ) AS `t37`
  ) AS `t45`
    ON `t32`.`service_day` = `t45`.`service_day`
) AS `t49`
  ON `t25`.`origin` = `t49`.`origin`
  AND `t25`.`carrier` = `t49`.`carrier`
  AND `t25`.`service_day` = `t49`.`service_day`
