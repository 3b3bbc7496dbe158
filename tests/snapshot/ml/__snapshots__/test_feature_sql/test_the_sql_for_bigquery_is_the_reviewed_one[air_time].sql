WITH `t7` AS (
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
  `t14`.`year`,
  `t14`.`month`,
  `t14`.`day`,
  `t14`.`flight`,
  `t14`.`sched_dep_time`,
  `t14`.`day_number`,
  `t14`.`distance`,
  CAST(`t14`.`sched_dep_min` AS FLOAT64) AS `sched_dep_min`,
  CAST(MOD(`t14`.`day_number` + 3, 7) AS FLOAT64) AS `day_of_week`,
  CAST(`t20`.`departures_last_hour` AS FLOAT64) AS `departures_last_hour`,
  `t24`.`temp`,
  `t24`.`dewp`,
  `t24`.`humid`,
  `t24`.`wind_dir`,
  `t24`.`wind_speed`,
  `t24`.`precip`,
  `t24`.`pressure`,
  `t24`.`visib`,
  CAST(`t14`.`year` - `t18`.`plane_year` AS FLOAT64) AS `plane_age`,
  CAST(`t18`.`seats` AS FLOAT64) AS `seats`,
  `t14`.`origin`,
  `t14`.`dest`,
  `t14`.`carrier`,
  CASE
    WHEN CAST(FLOOR(ieee_divide(`t14`.`sched_dep_min`, 60)) AS INT64) < 5
    THEN 'night'
    WHEN CAST(FLOOR(ieee_divide(`t14`.`sched_dep_min`, 60)) AS INT64) < 10
    THEN 'morning'
    WHEN CAST(FLOOR(ieee_divide(`t14`.`sched_dep_min`, 60)) AS INT64) < 14
    THEN 'midday'
    WHEN CAST(FLOOR(ieee_divide(`t14`.`sched_dep_min`, 60)) AS INT64) < 18
    THEN 'afternoon'
    ELSE 'evening'
  END AS `hour_band`,
  `t14`.`air_time` AS `target`
FROM `t7` AS `t14`
LEFT OUTER JOIN (
  SELECT
    `t22`.`origin`,
    `t22`.`hour_number`,
    `t12`.`temp`,
    `t12`.`dewp`,
    `t12`.`humid`,
    `t12`.`wind_dir`,
    `t12`.`wind_speed`,
    `t12`.`precip`,
    `t12`.`pressure`,
    `t12`.`visib`
  FROM (
    SELECT
      `t16`.`origin`,
      `t16`.`hour_number`,
      MAX(`t16`.`observed`) OVER (
        PARTITION BY `t16`.`origin`
        ORDER BY `t16`.`hour_number` ASC
        RANGE BETWEEN 6 preceding AND CURRENT ROW
      ) AS `observed`
    FROM (
      SELECT
        `t13`.`origin`,
        `t13`.`hour_number`,
        MAX(`t13`.`observed`) AS `observed`
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
        ) AS `t6`
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
        ) AS `t9`
      ) AS `t13`
      GROUP BY
        1,
        2
    ) AS `t16`
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
  ) AS `t12`
    ON `t22`.`origin` = `t12`.`origin` AND `t22`.`observed` = `t12`.`observed`
) AS `t24`
  ON `t14`.`origin` = `t24`.`origin` AND `t14`.`hour_number` = `t24`.`hour_number`
LEFT OUTER JOIN (
  SELECT
    `t4`.`tailnum`,
    `t4`.`year`,
    `t10`.`year` AS `plane_year`,
    `t10`.`seats`,
    `t10`.`engine`
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
  ) AS `t10`
    ON `t4`.`tailnum` = `t10`.`tailnum`
    AND `t4`.`year` >= `t10`.`as_of_year`
    AND `t4`.`year` < `t10`.`until`
) AS `t18`
  ON `t14`.`tailnum` = `t18`.`tailnum` AND `t14`.`year` = `t18`.`year`
LEFT OUTER JOIN (
  SELECT
    `t15`.`origin`,
    `t15`.`day_number`,
    `t15`.`sched_dep_min`,
    SUM(`t15`.`departures`) OVER (
      PARTITION BY `t15`.`origin`, `t15`.`day_number`
      ORDER BY `t15`.`sched_dep_min` ASC
      RANGE BETWEEN 59 preceding AND CURRENT ROW
    ) AS `departures_last_hour`
  FROM (
    SELECT
      `t11`.`origin`,
      `t11`.`day_number`,
      `t11`.`sched_dep_min`,
      COUNT(*) AS `departures`
    FROM `t7` AS `t11`
    GROUP BY
      1,
      2,
      3
  ) AS `t15`
) AS `t20`
  ON `t14`.`origin` = `t20`.`origin`
  AND `t14`.`day_number` = `t20`.`day_number`
  AND `t14`.`sched_dep_min` = `t20`.`sched_dep_min`
