/** Mutants that no test can notice, because the program does the same with them: by file and name, each group with its reason. */
export const ignored: readonly { readonly file: string; readonly why: string; readonly mutants: readonly string[] }[] = [
  {
    file: "src/plan/ladder/play.ts",
    why: "bounds for a play that never rests, which no test waits for",
    mutants: [
      "const mostRounds = 100_000; @19: 100_000 → 100001",
      "for (let round = 0; round < mostRounds && nowMs <= untilMs; round++) { @19: 0 → 1",
      "for (let round = 0; round < mostRounds && nowMs <= untilMs; round++) { @28: < → <=",
    ],
  },
  {
    file: "src/plan/ladder/pass.ts",
    why: "what is kept is asked again by `underWay`, and worked out anew when it is not: it only takes longer",
    mutants: [
      "if (isBegun(run)) pass.begun.add(run.target, run.id); @6: isBegun(run) → true",
      "if (isWide(escalation.target)) pass.mass = undefined; @6: isWide(escalation.target) → true",
    ],
  },
  {
    file: "src/plan/ladder/guards.ts",
    why: "worked out for each question in place of once: it only takes longer",
    mutants: ["if (pass.mass === undefined) pass.mass = findMassFailure(pass); @6: pass.mass === undefined → true"],
  },
  {
    file: "src/plan/ladder/pool-guard.ts",
    why: "worked out for each question in place of once: it only takes longer",
    mutants: [
      "if (known !== undefined) return known; @6: known !== undefined → false",
      "pass.pools.set(pool, stand); @2: pass.pools.set(pool, stand); → ;",
    ],
  },
  {
    file: "src/plan/ladder/plan-ladder.ts",
    why: "of what compares two runs only the sign counts, and no two have one id",
    mutants: [
      "for (const run of own.toSorted((a, b) => a.openedAtMs - b.openedAtMs || (a.id < b.id ? -1 : 1))) { @80: < → <=",
      "for (const run of own.toSorted((a, b) => a.openedAtMs - b.openedAtMs || (a.id < b.id ? -1 : 1))) { @90: 1 → 2",
      "for (const run of own.toSorted((a, b) => a.openedAtMs - b.openedAtMs || (a.id < b.id ? -1 : 1))) { @94: 1 → 2",
    ],
  },
  {
    file: "src/plan/ladder/index-ladder.ts",
    why: "no ladder has a level before its first, and every key that is put in order is there",
    mutants: [
      'const level = levels.get(check.level ?? "") ?? -1; @52: 1 → 2',
      "if (one !== undefined) asks.set(one.id, { level: one.level, target: one.target, order }); @8: one !== undefined → true",
    ],
  },
  {
    file: "src/plan/ladder/explain.ts",
    why: "of words that stand twice in a row it is the same which one is left out",
    mutants: [
      '`if that does not help, after ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}: ${[...then, "people"].filter((word, i, all) => word !== all[i - 1]).join(", then ")}`, @156: - → +',
    ],
  },
];
