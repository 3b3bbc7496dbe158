WITH `t4` AS (
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
), `t31` AS (
  SELECT
    `t8`.`year`,
    `t8`.`month`,
    `t8`.`day`,
    `t8`.`dep_time`,
    `t8`.`sched_dep_time`,
    `t8`.`dep_delay`,
    `t8`.`arr_time`,
    `t8`.`sched_arr_time`,
    `t8`.`arr_delay`,
    `t8`.`carrier`,
    `t8`.`flight`,
    `t8`.`tailnum`,
    `t8`.`origin`,
    `t8`.`dest`,
    `t8`.`air_time`,
    `t8`.`distance`,
    `t8`.`hour`,
    `t8`.`minute`,
    `t8`.`time_hour`,
    `t8`.`day_number`,
    `t8`.`sched_dep_min`,
    `t8`.`minute_number`,
    CAST(FLOOR(ieee_divide(`t8`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
    CAST(FLOOR(ieee_divide(`t8`.`minute_number`, 15)) AS INT64) AS `quarter`,
    CAST(FLOOR(ieee_divide((
      `t8`.`minute_number` + 60
    ) - 52, 60)) AS INT64) - 1 AS `observed_hour`,
    MOD(
      (
        (
          (
            CAST(FLOOR(ieee_divide(`t8`.`sched_arr_time`, 100)) AS INT64) * 60
          ) + (
            MOD(`t8`.`sched_arr_time`, 100)
          )
        ) - `t8`.`sched_dep_min`
      ) + 1440,
      1440
    ) AS `sched_block_min`,
    CAST(FLOOR(
      ieee_divide(
        (
          ieee_divide(`t8`.`distance`, 7.5) + 70
        ) - (
          MOD(
            (
              (
                (
                  CAST(FLOOR(ieee_divide(`t8`.`sched_arr_time`, 100)) AS INT64) * 60
                ) + (
                  MOD(`t8`.`sched_arr_time`, 100)
                )
              ) - `t8`.`sched_dep_min`
            ) + 1440,
            1440
          )
        ),
        60
      )
    ) AS INT64) AS `time_zone`
  FROM `t4` AS `t8`
), `t36` AS (
  SELECT
    `t26`.`origin`,
    `t26`.`carrier`,
    `t26`.`service_day`,
    SUM(`t26`.`arr_delay`) AS `arr_delay`,
    SUM(`t26`.`landings`) AS `landings`
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t8`.`origin`,
        `t8`.`carrier`,
        CAST(FLOOR(ieee_divide(`t8`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
        0.0 AS `arr_delay`,
        0 AS `landings`
      FROM `t4` AS `t8`
    ) AS `t14`
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        `t8`.`origin`,
        `t8`.`carrier`,
        CAST(FLOOR(
          ieee_divide(
            (
              `t8`.`minute_number` + GREATEST(`t8`.`dep_delay`, 0) + `t8`.`air_time` + 180
            ) - 300,
            1440
          )
        ) AS INT64) AS `service_day`,
        `t8`.`arr_delay`,
        1 AS `landings`
      FROM `t4` AS `t8`
      WHERE
        `t8`.`air_time` IS NOT NULL
        AND `t8`.`arr_delay` IS NOT NULL
        AND `t8`.`dep_delay` IS NOT NULL
    ) AS `t24`
  ) AS `t26`
  GROUP BY
    1,
    2,
    3
), `t37` AS (
  SELECT
    `t27`.`origin`,
    `t27`.`dest`,
    `t27`.`service_day`,
    SUM(`t27`.`air_time`) AS `air_time`,
    SUM(`t27`.`arr_delay`) AS `arr_delay`,
    SUM(`t27`.`landings`) AS `landings`
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t8`.`origin`,
        `t8`.`dest`,
        CAST(FLOOR(ieee_divide(`t8`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
        0.0 AS `air_time`,
        0.0 AS `arr_delay`,
        0 AS `landings`
      FROM `t4` AS `t8`
    ) AS `t15`
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        `t8`.`origin`,
        `t8`.`dest`,
        CAST(FLOOR(
          ieee_divide(
            (
              `t8`.`minute_number` + GREATEST(`t8`.`dep_delay`, 0) + `t8`.`air_time` + 180
            ) - 300,
            1440
          )
        ) AS INT64) AS `service_day`,
        `t8`.`air_time`,
        `t8`.`arr_delay`,
        1 AS `landings`
      FROM `t4` AS `t8`
      WHERE
        `t8`.`air_time` IS NOT NULL
        AND `t8`.`arr_delay` IS NOT NULL
        AND `t8`.`dep_delay` IS NOT NULL
    ) AS `t25`
  ) AS `t27`
  GROUP BY
    1,
    2,
    3
), `t64` AS (
  SELECT
    `t45`.`origin`,
    `t45`.`dest`,
    `t45`.`service_day`,
    CASE
      WHEN `t62`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t45`.`air_time`) OVER (
          PARTITION BY `t45`.`origin`, `t45`.`dest`
          ORDER BY `t45`.`service_day` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t45`.`landings`) OVER (
            PARTITION BY `t45`.`origin`, `t45`.`dest`
            ORDER BY `t45`.`service_day` ASC
            RANGE BETWEEN 28 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_28d`,
    CASE
      WHEN `t62`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t45`.`air_time`) OVER (
          PARTITION BY `t45`.`origin`, `t45`.`dest`
          ORDER BY `t45`.`service_day` ASC
          RANGE BETWEEN 7 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t45`.`landings`) OVER (
            PARTITION BY `t45`.`origin`, `t45`.`dest`
            ORDER BY `t45`.`service_day` ASC
            RANGE BETWEEN 7 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_7d`,
    CASE
      WHEN `t62`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t45`.`air_time`) OVER (
          PARTITION BY `t45`.`origin`, `t45`.`dest`
          ORDER BY `t45`.`service_day` ASC
          RANGE BETWEEN 1 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t45`.`landings`) OVER (
            PARTITION BY `t45`.`origin`, `t45`.`dest`
            ORDER BY `t45`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_1d`,
    CASE
      WHEN `t62`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t45`.`arr_delay`) OVER (
          PARTITION BY `t45`.`origin`, `t45`.`dest`
          ORDER BY `t45`.`service_day` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t45`.`landings`) OVER (
            PARTITION BY `t45`.`origin`, `t45`.`dest`
            ORDER BY `t45`.`service_day` ASC
            RANGE BETWEEN 28 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_arr_delay_28d`,
    CASE
      WHEN `t62`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t45`.`arr_delay`) OVER (
          PARTITION BY `t45`.`origin`, `t45`.`dest`
          ORDER BY `t45`.`service_day` ASC
          RANGE BETWEEN 1 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t45`.`landings`) OVER (
            PARTITION BY `t45`.`origin`, `t45`.`dest`
            ORDER BY `t45`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_arr_delay_1d`
  FROM `t37` AS `t45`
  INNER JOIN (
    SELECT
      `t50`.`service_day`,
      SUM(`t50`.`landings`) OVER (ORDER BY `t50`.`service_day` ASC RANGE BETWEEN 3 preceding AND 1 preceding) AS `fresh`
    FROM (
      SELECT
        `t40`.`service_day`,
        SUM(`t40`.`landings`) AS `landings`
      FROM `t37` AS `t40`
      GROUP BY
        1
    ) AS `t50`
  ) AS `t62`
    ON `t45`.`service_day` = `t62`.`service_day`
), `t73` AS (
  SELECT
    `t72`.`time_zone`,
    `t72`.`service_day`,
    SUM(`t72`.`excess`) AS `excess`,
    SUM(`t72`.`landings`) AS `landings`
  FROM (
    SELECT
      *
    FROM (
      SELECT
        CAST(FLOOR(
          ieee_divide(
            (
              ieee_divide(`t8`.`distance`, 7.5) + 70
            ) - (
              MOD(
                (
                  (
                    (
                      CAST(FLOOR(ieee_divide(`t8`.`sched_arr_time`, 100)) AS INT64) * 60
                    ) + (
                      MOD(`t8`.`sched_arr_time`, 100)
                    )
                  ) - `t8`.`sched_dep_min`
                ) + 1440,
                1440
              )
            ),
            60
          )
        ) AS INT64) AS `time_zone`,
        CAST(FLOOR(ieee_divide(`t8`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
        0.0 AS `excess`,
        0 AS `landings`
      FROM `t4` AS `t8`
    ) AS `t32`
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        `t70`.`time_zone`,
        `t70`.`landed_day` AS `service_day`,
        CAST(CAST(ROUND((
          `t70`.`air_time` - `t70`.`usual`
        ) * 1000, 0) AS INT64) AS FLOAT64) AS `excess`,
        1 AS `landings`
      FROM (
        SELECT
          `t35`.`year`,
          `t35`.`month`,
          `t35`.`day`,
          `t35`.`dep_time`,
          `t35`.`sched_dep_time`,
          `t35`.`dep_delay`,
          `t35`.`arr_time`,
          `t35`.`sched_arr_time`,
          `t35`.`arr_delay`,
          `t35`.`carrier`,
          `t35`.`flight`,
          `t35`.`tailnum`,
          `t35`.`origin`,
          `t35`.`dest`,
          `t35`.`air_time`,
          `t35`.`distance`,
          `t35`.`hour`,
          `t35`.`minute`,
          `t35`.`time_hour`,
          `t35`.`day_number`,
          `t35`.`sched_dep_min`,
          `t35`.`minute_number`,
          `t35`.`service_day`,
          `t35`.`quarter`,
          `t35`.`observed_hour`,
          `t35`.`sched_block_min`,
          `t35`.`time_zone`,
          `t35`.`landed_day`,
          `t69`.`usual`
        FROM (
          SELECT
            `t8`.`year`,
            `t8`.`month`,
            `t8`.`day`,
            `t8`.`dep_time`,
            `t8`.`sched_dep_time`,
            `t8`.`dep_delay`,
            `t8`.`arr_time`,
            `t8`.`sched_arr_time`,
            `t8`.`arr_delay`,
            `t8`.`carrier`,
            `t8`.`flight`,
            `t8`.`tailnum`,
            `t8`.`origin`,
            `t8`.`dest`,
            `t8`.`air_time`,
            `t8`.`distance`,
            `t8`.`hour`,
            `t8`.`minute`,
            `t8`.`time_hour`,
            `t8`.`day_number`,
            `t8`.`sched_dep_min`,
            `t8`.`minute_number`,
            CAST(FLOOR(ieee_divide(`t8`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
            CAST(FLOOR(ieee_divide(`t8`.`minute_number`, 15)) AS INT64) AS `quarter`,
            CAST(FLOOR(ieee_divide((
              `t8`.`minute_number` + 60
            ) - 52, 60)) AS INT64) - 1 AS `observed_hour`,
            MOD(
              (
                (
                  (
                    CAST(FLOOR(ieee_divide(`t8`.`sched_arr_time`, 100)) AS INT64) * 60
                  ) + (
                    MOD(`t8`.`sched_arr_time`, 100)
                  )
                ) - `t8`.`sched_dep_min`
              ) + 1440,
              1440
            ) AS `sched_block_min`,
            CAST(FLOOR(
              ieee_divide(
                (
                  ieee_divide(`t8`.`distance`, 7.5) + 70
                ) - (
                  MOD(
                    (
                      (
                        (
                          CAST(FLOOR(ieee_divide(`t8`.`sched_arr_time`, 100)) AS INT64) * 60
                        ) + (
                          MOD(`t8`.`sched_arr_time`, 100)
                        )
                      ) - `t8`.`sched_dep_min`
                    ) + 1440,
                    1440
                  )
                ),
                60
              )
            ) AS INT64) AS `time_zone`,
            CAST(FLOOR(
              ieee_divide(
                (
                  `t8`.`minute_number` + GREATEST(`t8`.`dep_delay`, 0) + `t8`.`air_time` + 180
                ) - 300,
                1440
              )
            ) AS INT64) AS `landed_day`
          FROM `t4` AS `t8`
          WHERE
            `t8`.`air_time` IS NOT NULL
            AND `t8`.`arr_delay` IS NOT NULL
            AND `t8`.`dep_delay` IS NOT NULL
        ) AS `t35`
        INNER JOIN (
          SELECT
            `t66`.`origin`,
            `t66`.`dest`,
            `t66`.`service_day`,
            `t66`.`route_air_time_28d` AS `usual`
          FROM `t64` AS `t66`
        ) AS `t69`
          ON `t35`.`origin` = `t69`.`origin`
          AND `t35`.`dest` = `t69`.`dest`
          AND `t35`.`service_day` = `t69`.`service_day`
      ) AS `t70`
      WHERE
        `t70`.`usual` IS NOT NULL
    ) AS `t71`
  ) AS `t72`
  GROUP BY
    1,
    2
)
SELECT
  `t38`.`year`,
  `t38`.`month`,
  `t38`.`day`,
  `t38`.`flight`,
  `t38`.`sched_dep_time`,
  `t38`.`day_number`,
  `t38`.`distance`,
  CAST(`t38`.`sched_dep_min` AS FLOAT64) AS `sched_dep_min`,
  CAST(`t38`.`sched_block_min` AS FLOAT64) AS `sched_block_min`,
  CAST(MOD(`t38`.`day_number` + 3, 7) AS FLOAT64) AS `day_of_week`,
  CAST(`t55`.`departures_last_hour` AS FLOAT64) AS `departures_last_hour`,
  CAST(`t56`.`carrier_departures_last_hour` AS FLOAT64) AS `carrier_departures_last_hour`,
  `t58`.`temp`,
  `t58`.`dewp`,
  `t58`.`humid`,
  `t58`.`wind_dir`,
  `t58`.`wind_speed`,
  `t58`.`precip`,
  `t58`.`pressure`,
  `t58`.`visib`,
  CAST(`t38`.`year` - `t23`.`plane_year` AS FLOAT64) AS `plane_age`,
  CAST(`t23`.`seats` AS FLOAT64) AS `seats`,
  `t51`.`origin_dep_delay_3h`,
  `t52`.`carrier_dep_delay_3h`,
  `t67`.`route_air_time_28d`,
  `t67`.`route_air_time_7d`,
  `t67`.`route_air_time_1d`,
  `t81`.`time_zone_excess_1d`,
  `t81`.`time_zone_excess_3d`,
  `t67`.`route_arr_delay_1d`,
  `t67`.`route_arr_delay_28d`,
  `t65`.`carrier_arr_delay_28d`,
  `t65`.`carrier_arr_delay_1d`,
  `t38`.`origin`,
  `t38`.`dest`,
  `t38`.`carrier`,
  CASE
    WHEN CAST(FLOOR(ieee_divide(`t38`.`sched_dep_min`, 60)) AS INT64) < 5
    THEN 'night'
    WHEN CAST(FLOOR(ieee_divide(`t38`.`sched_dep_min`, 60)) AS INT64) < 10
    THEN 'morning'
    WHEN CAST(FLOOR(ieee_divide(`t38`.`sched_dep_min`, 60)) AS INT64) < 14
    THEN 'midday'
    WHEN CAST(FLOOR(ieee_divide(`t38`.`sched_dep_min`, 60)) AS INT64) < 18
    THEN 'afternoon'
    ELSE 'evening'
  END AS `hour_band`,
  `t23`.`engine`,
  `t38`.`air_time` AS `target`
FROM `t31` AS `t38`
LEFT OUTER JOIN (
  SELECT
    `t46`.`origin`,
    `t46`.`observed_hour`,
    `t9`.`temp`,
    `t9`.`dewp`,
    `t9`.`humid`,
    `t9`.`wind_dir`,
    `t9`.`wind_speed`,
    `t9`.`precip`,
    `t9`.`pressure`,
    `t9`.`visib`
  FROM (
    SELECT
      `t28`.`origin`,
      `t28`.`observed_hour`,
      MAX(`t28`.`observed`) OVER (
        PARTITION BY `t28`.`origin`
        ORDER BY `t28`.`observed_hour` ASC
        RANGE BETWEEN 6 preceding AND CURRENT ROW
      ) AS `observed`
    FROM (
      SELECT
        `t20`.`origin`,
        `t20`.`observed_hour`,
        MAX(`t20`.`observed`) AS `observed`
      FROM (
        SELECT
          *
        FROM (
          SELECT
            `t8`.`origin`,
            CAST(FLOOR(ieee_divide((
              `t8`.`minute_number` + 60
            ) - 52, 60)) AS INT64) - 1 AS `observed_hour`,
            CAST(NULL AS INT64) AS `observed`
          FROM `t4` AS `t8`
        ) AS `t16`
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
        ) AS `t6`
      ) AS `t20`
      GROUP BY
        1,
        2
    ) AS `t28`
  ) AS `t46`
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
  ) AS `t9`
    ON `t46`.`origin` = `t9`.`origin` AND `t46`.`observed` = `t9`.`observed`
) AS `t58`
  ON `t38`.`origin` = `t58`.`origin` AND `t38`.`observed_hour` = `t58`.`observed_hour`
LEFT OUTER JOIN (
  SELECT
    `t11`.`tailnum`,
    `t11`.`year`,
    `t7`.`year` AS `plane_year`,
    `t7`.`seats`,
    `t7`.`engine`
  FROM (
    SELECT DISTINCT
      `t8`.`tailnum`,
      `t8`.`year`
    FROM `t4` AS `t8`
  ) AS `t11`
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
  ) AS `t7`
    ON `t11`.`tailnum` = `t7`.`tailnum`
    AND `t11`.`year` >= `t7`.`as_of_year`
    AND `t11`.`year` < `t7`.`until`
) AS `t23`
  ON `t38`.`tailnum` = `t23`.`tailnum` AND `t38`.`year` = `t23`.`year`
LEFT OUTER JOIN (
  SELECT
    `t41`.`origin`,
    `t41`.`day_number`,
    `t41`.`sched_dep_min`,
    SUM(`t41`.`departures`) OVER (
      PARTITION BY `t41`.`origin`, `t41`.`day_number`
      ORDER BY `t41`.`sched_dep_min` ASC
      RANGE BETWEEN 59 preceding AND CURRENT ROW
    ) AS `departures_last_hour`
  FROM (
    SELECT
      `t34`.`origin`,
      `t34`.`day_number`,
      `t34`.`sched_dep_min`,
      COUNT(*) AS `departures`
    FROM `t31` AS `t34`
    GROUP BY
      1,
      2,
      3
  ) AS `t41`
) AS `t55`
  ON `t38`.`origin` = `t55`.`origin`
  AND `t38`.`day_number` = `t55`.`day_number`
  AND `t38`.`sched_dep_min` = `t55`.`sched_dep_min`
LEFT OUTER JOIN (
  SELECT
    `t42`.`origin`,
    `t42`.`carrier`,
    `t42`.`day_number`,
    `t42`.`sched_dep_min`,
    SUM(`t42`.`departures`) OVER (
      PARTITION BY `t42`.`origin`, `t42`.`carrier`, `t42`.`day_number`
      ORDER BY `t42`.`sched_dep_min` ASC
      RANGE BETWEEN 59 preceding AND CURRENT ROW
    ) AS `carrier_departures_last_hour`
  FROM (
    SELECT
      `t34`.`origin`,
      `t34`.`carrier`,
      `t34`.`day_number`,
      `t34`.`sched_dep_min`,
      COUNT(*) AS `departures`
    FROM `t31` AS `t34`
    GROUP BY
      1,
      2,
      3,
      4
  ) AS `t42`
) AS `t56`
  ON `t38`.`origin` = `t56`.`origin`
  AND `t38`.`carrier` = `t56`.`carrier`
  AND `t38`.`day_number` = `t56`.`day_number`
  AND `t38`.`sched_dep_min` = `t56`.`sched_dep_min`
LEFT OUTER JOIN (
  SELECT
    `t29`.`origin`,
    `t29`.`service_day`,
    `t29`.`quarter`,
    ieee_divide(
      SUM(`t29`.`delay`) OVER (
        PARTITION BY `t29`.`origin`, `t29`.`service_day`
        ORDER BY `t29`.`quarter` ASC
        RANGE BETWEEN 12 preceding AND 5 preceding
      ),
      NULLIF(
        SUM(`t29`.`left`) OVER (
          PARTITION BY `t29`.`origin`, `t29`.`service_day`
          ORDER BY `t29`.`quarter` ASC
          RANGE BETWEEN 12 preceding AND 5 preceding
        ),
        0
      )
    ) AS `origin_dep_delay_3h`
  FROM (
    SELECT
      `t21`.`origin`,
      `t21`.`service_day`,
      `t21`.`quarter`,
      SUM(`t21`.`delay`) AS `delay`,
      SUM(`t21`.`count`) AS `left`
    FROM (
      SELECT
        *
      FROM (
        SELECT
          `t8`.`origin`,
          CAST(FLOOR(ieee_divide(`t8`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
          CAST(FLOOR(ieee_divide(`t8`.`minute_number`, 15)) AS INT64) AS `quarter`,
          0.0 AS `delay`,
          0 AS `count`
        FROM `t4` AS `t8`
      ) AS `t12`
      UNION ALL
      SELECT
        *
      FROM (
        SELECT
          `t8`.`origin`,
          CAST(FLOOR(
            ieee_divide((
              `t8`.`minute_number` + CAST(TRUNC(`t8`.`dep_delay`) AS INT64)
            ) - 300, 1440)
          ) AS INT64) AS `service_day`,
          CAST(FLOOR(ieee_divide(`t8`.`minute_number` + CAST(TRUNC(`t8`.`dep_delay`) AS INT64), 15)) AS INT64) AS `quarter`,
          `t8`.`dep_delay` AS `delay`,
          1 AS `count`
        FROM `t4` AS `t8`
        WHERE
          `t8`.`dep_delay` IS NOT NULL
      ) AS `t17`
    ) AS `t21`
    GROUP BY
      1,
      2,
      3
  ) AS `t29`
) AS `t51`
  ON `t38`.`origin` = `t51`.`origin`
  AND `t38`.`service_day` = `t51`.`service_day`
  AND `t38`.`quarter` = `t51`.`quarter`
LEFT OUTER JOIN (
  SELECT
    `t30`.`origin`,
    `t30`.`carrier`,
    `t30`.`service_day`,
    `t30`.`quarter`,
    ieee_divide(
      SUM(`t30`.`delay`) OVER (
        PARTITION BY `t30`.`origin`, `t30`.`carrier`, `t30`.`service_day`
        ORDER BY `t30`.`quarter` ASC
        RANGE BETWEEN 12 preceding AND 5 preceding
      ),
      NULLIF(
        SUM(`t30`.`left`) OVER (
          PARTITION BY `t30`.`origin`, `t30`.`carrier`, `t30`.`service_day`
          ORDER BY `t30`.`quarter` ASC
          RANGE BETWEEN 12 preceding AND 5 preceding
        ),
        0
      )
    ) AS `carrier_dep_delay_3h`
  FROM (
    SELECT
      `t22`.`origin`,
      `t22`.`carrier`,
      `t22`.`service_day`,
      `t22`.`quarter`,
      SUM(`t22`.`delay`) AS `delay`,
      SUM(`t22`.`count`) AS `left`
    FROM (
      SELECT
        *
      FROM (
        SELECT
          `t8`.`origin`,
          `t8`.`carrier`,
          CAST(FLOOR(ieee_divide(`t8`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
          CAST(FLOOR(ieee_divide(`t8`.`minute_number`, 15)) AS INT64) AS `quarter`,
          0.0 AS `delay`,
          0 AS `count`
        FROM `t4` AS `t8`
      ) AS `t13`
      UNION ALL
      SELECT
        *
      FROM (
        SELECT
          `t8`.`origin`,
          `t8`.`carrier`,
          CAST(FLOOR(
            ieee_divide((
              `t8`.`minute_number` + CAST(TRUNC(`t8`.`dep_delay`) AS INT64)
            ) - 300, 1440)
          ) AS INT64) AS `service_day`,
          CAST(FLOOR(ieee_divide(`t8`.`minute_number` + CAST(TRUNC(`t8`.`dep_delay`) AS INT64), 15)) AS INT64) AS `quarter`,
          `t8`.`dep_delay` AS `delay`,
          1 AS `count`
        FROM `t4` AS `t8`
        WHERE
          `t8`.`dep_delay` IS NOT NULL
      ) AS `t18`
    ) AS `t22`
    GROUP BY
      1,
      2,
      3,
      4
  ) AS `t30`
) AS `t52`
  ON `t38`.`origin` = `t52`.`origin`
  AND `t38`.`carrier` = `t52`.`carrier`
  AND `t38`.`service_day` = `t52`.`service_day`
  AND `t38`.`quarter` = `t52`.`quarter`
LEFT OUTER JOIN `t64` AS `t67`
  ON `t38`.`origin` = `t67`.`origin`
  AND `t38`.`dest` = `t67`.`dest`
  AND `t38`.`service_day` = `t67`.`service_day`
LEFT OUTER JOIN (
  SELECT
    `t44`.`origin`,
    `t44`.`carrier`,
    `t44`.`service_day`,
    CASE
      WHEN `t61`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t44`.`arr_delay`) OVER (
          PARTITION BY `t44`.`origin`, `t44`.`carrier`
          ORDER BY `t44`.`service_day` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t44`.`landings`) OVER (
            PARTITION BY `t44`.`origin`, `t44`.`carrier`
            ORDER BY `t44`.`service_day` ASC
            RANGE BETWEEN 28 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `carrier_arr_delay_28d`,
    CASE
      WHEN `t61`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t44`.`arr_delay`) OVER (
          PARTITION BY `t44`.`origin`, `t44`.`carrier`
          ORDER BY `t44`.`service_day` ASC
          RANGE BETWEEN 1 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t44`.`landings`) OVER (
            PARTITION BY `t44`.`origin`, `t44`.`carrier`
            ORDER BY `t44`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `carrier_arr_delay_1d`
  FROM `t36` AS `t44`
  INNER JOIN (
    SELECT
      `t49`.`service_day`,
      SUM(`t49`.`landings`) OVER (ORDER BY `t49`.`service_day` ASC RANGE BETWEEN 3 preceding AND 1 preceding) AS `fresh`
    FROM (
      SELECT
        `t39`.`service_day`,
        SUM(`t39`.`landings`) AS `landings`
      FROM `t36` AS `t39`
      GROUP BY
        1
    ) AS `t49`
  ) AS `t61`
    ON `t44`.`service_day` = `t61`.`service_day`
) AS `t65`
  ON `t38`.`origin` = `t65`.`origin`
  AND `t38`.`carrier` = `t65`.`carrier`
  AND `t38`.`service_day` = `t65`.`service_day`
LEFT OUTER JOIN (
  SELECT
    `t79`.`time_zone`,
    `t79`.`service_day`,
    ieee_divide(`t79`.`time_zone_excess_1d`, 1000) AS `time_zone_excess_1d`,
    ieee_divide(`t79`.`time_zone_excess_3d`, 1000) AS `time_zone_excess_3d`
  FROM (
    SELECT
      `t75`.`time_zone`,
      `t75`.`service_day`,
      CASE
        WHEN `t78`.`fresh` > 0
        THEN ieee_divide(
          SUM(`t75`.`excess`) OVER (
            PARTITION BY `t75`.`time_zone`
            ORDER BY `t75`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          NULLIF(
            SUM(`t75`.`landings`) OVER (
              PARTITION BY `t75`.`time_zone`
              ORDER BY `t75`.`service_day` ASC
              RANGE BETWEEN 1 preceding AND 1 preceding
            ),
            0
          )
        )
        ELSE NULL
      END AS `time_zone_excess_1d`,
      CASE
        WHEN `t78`.`fresh` > 0
        THEN ieee_divide(
          SUM(`t75`.`excess`) OVER (
            PARTITION BY `t75`.`time_zone`
            ORDER BY `t75`.`service_day` ASC
            RANGE BETWEEN 3 preceding AND 1 preceding
          ),
          NULLIF(
            SUM(`t75`.`landings`) OVER (
              PARTITION BY `t75`.`time_zone`
              ORDER BY `t75`.`service_day` ASC
              RANGE BETWEEN 3 preceding AND 1 preceding
            ),
            0
          )
        )
        ELSE NULL
      END AS `time_zone_excess_3d`
    FROM `t73` AS `t75`
    INNER JOIN (
      SELECT
        `t76`.`service_day`,
        SUM(`t76`.`landings`) OVER (ORDER BY `t76`.`service_day` ASC RANGE BETWEEN 3 preceding AND 1 preceding) AS `fresh`
      FROM (
        SELECT
          `t74`.`service_day`,
          SUM(`t74`.`landings`) AS `landings`
        FROM `t73` AS `t74`
        GROUP BY
          1
      ) AS `t76`
    ) AS `t78`
      ON `t75`.`service_day` = `t78`.`service_day`
  ) AS `t79`
) AS `t81`
  ON `t38`.`time_zone` = `t81`.`time_zone`
  AND `t38`.`service_day` = `t81`.`service_day`
