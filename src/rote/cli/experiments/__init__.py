"""Commands of many runs: `rote emm`, `rote study`, `rote rescore`."""
