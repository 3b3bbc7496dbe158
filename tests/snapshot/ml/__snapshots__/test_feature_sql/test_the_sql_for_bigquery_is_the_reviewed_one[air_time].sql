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
), `t18` AS (
  SELECT
    `t11`.`origin`,
    `t11`.`dest`,
    `t11`.`service_day`,
    SUM(`t11`.`air_time`) AS `air_time`,
    SUM(`t11`.`arr_delay`) AS `arr_delay`,
    SUM(`t11`.`landings`) AS `landings`
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
    ) AS `t7`
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
    ) AS `t10`
  ) AS `t11`
  GROUP BY
    1,
    2,
    3
), `t28` AS (
  SELECT
    `t21`.`origin`,
    `t21`.`dest`,
    `t21`.`service_day`,
    CASE
      WHEN `t27`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t21`.`air_time`) OVER (
          PARTITION BY `t21`.`origin`, `t21`.`dest`
          ORDER BY `t21`.`service_day` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t21`.`landings`) OVER (
            PARTITION BY `t21`.`origin`, `t21`.`dest`
            ORDER BY `t21`.`service_day` ASC
            RANGE BETWEEN 28 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_28d`,
    CASE
      WHEN `t27`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t21`.`air_time`) OVER (
          PARTITION BY `t21`.`origin`, `t21`.`dest`
          ORDER BY `t21`.`service_day` ASC
          RANGE BETWEEN 7 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t21`.`landings`) OVER (
            PARTITION BY `t21`.`origin`, `t21`.`dest`
            ORDER BY `t21`.`service_day` ASC
            RANGE BETWEEN 7 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_7d`,
    CASE
      WHEN `t27`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t21`.`air_time`) OVER (
          PARTITION BY `t21`.`origin`, `t21`.`dest`
          ORDER BY `t21`.`service_day` ASC
          RANGE BETWEEN 1 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t21`.`landings`) OVER (
            PARTITION BY `t21`.`origin`, `t21`.`dest`
            ORDER BY `t21`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_air_time_1d`,
    CASE
      WHEN `t27`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t21`.`arr_delay`) OVER (
          PARTITION BY `t21`.`origin`, `t21`.`dest`
          ORDER BY `t21`.`service_day` ASC
          RANGE BETWEEN 28 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t21`.`landings`) OVER (
            PARTITION BY `t21`.`origin`, `t21`.`dest`
            ORDER BY `t21`.`service_day` ASC
            RANGE BETWEEN 28 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_arr_delay_28d`,
    CASE
      WHEN `t27`.`fresh` > 0
      THEN ieee_divide(
        SUM(`t21`.`arr_delay`) OVER (
          PARTITION BY `t21`.`origin`, `t21`.`dest`
          ORDER BY `t21`.`service_day` ASC
          RANGE BETWEEN 1 preceding AND 1 preceding
        ),
        NULLIF(
          SUM(`t21`.`landings`) OVER (
            PARTITION BY `t21`.`origin`, `t21`.`dest`
            ORDER BY `t21`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          0
        )
      )
      ELSE NULL
    END AS `route_arr_delay_1d`
  FROM `t18` AS `t21`
  INNER JOIN (
    SELECT
      `t23`.`service_day`,
      SUM(`t23`.`landings`) OVER (ORDER BY `t23`.`service_day` ASC RANGE BETWEEN 3 preceding AND 1 preceding) AS `fresh`
    FROM (
      SELECT
        `t19`.`service_day`,
        SUM(`t19`.`landings`) AS `landings`
      FROM `t18` AS `t19`
      GROUP BY
        1
    ) AS `t23`
  ) AS `t27`
    ON `t21`.`service_day` = `t27`.`service_day`
), `t36` AS (
  SELECT
    `t35`.`time_zone`,
    `t35`.`service_day`,
    SUM(`t35`.`excess`) AS `excess`,
    SUM(`t35`.`landings`) AS `landings`
  FROM (
    SELECT
      *
    FROM (
      SELECT
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
        ) AS INT64) AS `time_zone`,
        CAST(FLOOR(ieee_divide(`t5`.`minute_number` - 300, 1440)) AS INT64) AS `service_day`,
        0.0 AS `excess`,
        0 AS `landings`
      FROM `t2` AS `t5`
    ) AS `t14`
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        `t33`.`time_zone`,
        `t33`.`landed_day` AS `service_day`,
        CAST(CAST(ROUND((
          `t33`.`air_time` - `t33`.`usual`
        ) * 1000, 0) AS INT64) AS FLOAT64) AS `excess`,
        1 AS `landings`
      FROM (
        SELECT
          `t17`.`year`,
          `t17`.`month`,
          `t17`.`day`,
          `t17`.`dep_time`,
          `t17`.`sched_dep_time`,
          `t17`.`dep_delay`,
          `t17`.`arr_time`,
          `t17`.`sched_arr_time`,
          `t17`.`arr_delay`,
          `t17`.`carrier`,
          `t17`.`flight`,
          `t17`.`tailnum`,
          `t17`.`origin`,
          `t17`.`dest`,
          `t17`.`air_time`,
          `t17`.`distance`,
          `t17`.`hour`,
          `t17`.`minute`,
          `t17`.`time_hour`,
          `t17`.`day_number`,
          `t17`.`sched_dep_min`,
          `t17`.`minute_number`,
          `t17`.`service_day`,
          `t17`.`quarter`,
          `t17`.`observed_hour`,
          `t17`.`sched_block_min`,
          `t17`.`time_zone`,
          `t17`.`landed_day`,
          `t32`.`usual`
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
            ) AS INT64) AS `time_zone`,
            CAST(FLOOR(
              ieee_divide(
                (
                  `t5`.`minute_number` + GREATEST(`t5`.`dep_delay`, 0) + `t5`.`air_time` + 180
                ) - 300,
                1440
              )
            ) AS INT64) AS `landed_day`
          FROM `t2` AS `t5`
          WHERE
            `t5`.`air_time` IS NOT NULL
            AND `t5`.`arr_delay` IS NOT NULL
            AND `t5`.`dep_delay` IS NOT NULL
        ) AS `t17`
        INNER JOIN (
          SELECT
            `t29`.`origin`,
            `t29`.`dest`,
            `t29`.`service_day`,
            `t29`.`route_air_time_28d` AS `usual`
          FROM `t28` AS `t29`
        ) AS `t32`
          ON `t17`.`origin` = `t32`.`origin`
          AND `t17`.`dest` = `t32`.`dest`
          AND `t17`.`service_day` = `t32`.`service_day`
      ) AS `t33`
      WHERE
        `t33`.`usual` IS NOT NULL
    ) AS `t34`
  ) AS `t35`
  GROUP BY
    1,
    2
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
  CAST(`t16`.`sched_block_min` AS FLOAT64) AS `sched_block_min`,
  CAST(MOD(`t16`.`day_number` + 3, 7) AS FLOAT64) AS `day_of_week`,
  `t30`.`route_air_time_28d`,
  `t30`.`route_air_time_7d`,
  `t30`.`route_air_time_1d`,
  `t44`.`time_zone_excess_1d`,
  `t44`.`time_zone_excess_3d`,
  `t25`.`temp`,
  `t25`.`dewp`,
  `t25`.`humid`,
  `t25`.`wind_dir`,
  `t25`.`wind_speed`,
  `t25`.`precip`,
  `t25`.`pressure`,
  `t25`.`visib`,
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
  `t16`.`air_time` AS `target`
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
) AS `t16`
LEFT OUTER JOIN (
  SELECT
    `t22`.`origin`,
    `t22`.`observed_hour`,
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
      `t12`.`origin`,
      `t12`.`observed_hour`,
      MAX(`t12`.`observed`) OVER (
        PARTITION BY `t12`.`origin`
        ORDER BY `t12`.`observed_hour` ASC
        RANGE BETWEEN 6 preceding AND CURRENT ROW
      ) AS `observed`
    FROM (
      SELECT
        `t9`.`origin`,
        `t9`.`observed_hour`,
        MAX(`t9`.`observed`) AS `observed`
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
        ) AS `t8`
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
      ) AS `t9`
      GROUP BY
        1,
        2
    ) AS `t12`
  ) AS `t22`
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
    ON `t22`.`origin` = `t6`.`origin` AND `t22`.`observed` = `t6`.`observed`
) AS `t25`
  ON `t16`.`origin` = `t25`.`origin` AND `t16`.`observed_hour` = `t25`.`observed_hour`
LEFT OUTER JOIN `t28` AS `t30`
  ON `t16`.`origin` = `t30`.`origin`
  AND `t16`.`dest` = `t30`.`dest`
  AND `t16`.`service_day` = `t30`.`service_day`
LEFT OUTER JOIN (
  SELECT
    `t42`.`time_zone`,
    `t42`.`service_day`,
    ieee_divide(`t42`.`time_zone_excess_1d`, 1000) AS `time_zone_excess_1d`,
    ieee_divide(`t42`.`time_zone_excess_3d`, 1000) AS `time_zone_excess_3d`
  FROM (
    SELECT
      `t38`.`time_zone`,
      `t38`.`service_day`,
      CASE
        WHEN `t41`.`fresh` > 0
        THEN ieee_divide(
          SUM(`t38`.`excess`) OVER (
            PARTITION BY `t38`.`time_zone`
            ORDER BY `t38`.`service_day` ASC
            RANGE BETWEEN 1 preceding AND 1 preceding
          ),
          NULLIF(
            SUM(`t38`.`landings`) OVER (
              PARTITION BY `t38`.`time_zone`
              ORDER BY `t38`.`service_day` ASC
              RANGE BETWEEN 1 preceding AND 1 preceding
            ),
            0
          )
        )
        ELSE NULL
      END AS `time_zone_excess_1d`,
      CASE
        WHEN `t41`.`fresh` > 0
        THEN ieee_divide(
          SUM(`t38`.`excess`) OVER (
            PARTITION BY `t38`.`time_zone`
            ORDER BY `t38`.`service_day` ASC
            RANGE BETWEEN 3 preceding AND 1 preceding
          ),
          NULLIF(
            SUM(`t38`.`landings`) OVER (
              PARTITION BY `t38`.`time_zone`
              ORDER BY `t38`.`service_day` ASC
              RANGE BETWEEN 3 preceding AND 1 preceding
            ),
            0
          )
        )
        ELSE NULL
      END AS `time_zone_excess_3d`
    FROM `t36` AS `t38`
    INNER JOIN (
      SELECT
        `t39`.`service_day`,
        SUM(`t39`.`landings`) OVER (ORDER BY `t39`.`service_day` ASC RANGE BETWEEN 3 preceding AND 1 preceding) AS `fresh`
      FROM (
        SELECT
          `t37`.`service_day`,
          SUM(`t37`.`landings`) AS `landings`
        FROM `t36` AS `t37`
        GROUP BY
          1
      ) AS `t39`
    ) AS `t41`
      ON `t38`.`service_day` = `t41`.`service_day`
  ) AS `t42`
) AS `t44`
  ON `t16`.`time_zone` = `t44`.`time_zone`
  AND `t16`.`service_day` = `t44`.`service_day`
