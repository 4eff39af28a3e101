import type { PoolView } from "#model/api-pools.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { defaultSpace } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { escapeText, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { age } from "../output/time.ts";

async function poolsOf({ api, common, signal }: Session): Promise<readonly PoolView[]> {
  const path = apiPath(["spaces", common.space ?? defaultSpace, "pools"]);
  return (await api.call<{ pools: PoolView[] }>("GET", path, signal)).pools;
}

const isShort = ({ ready, wanted, problem, machines, rules }: PoolView) =>
  ready < wanted || problem !== null || rules?.need != null || machines.some((machine) => machine.problem !== null);

const ls = {
  summary: "list the pools of a space and how many of their machines are ready",
  async run(session) {
    const { out, common } = session;
    const pools = await poolsOf(session);
    if (out.json) {
      out.value({ pools });
      return 0;
    }
    if (pools.length === 0) {
      out.note(`space "${common.space ?? defaultSpace}" has no pools`);
      return 0;
    }
    const rows = pools.map((pool) => [
      pool.name,
      styled(isShort(pool) ? "red" : "green", `${pool.ready} of ${pool.wanted}`),
      pool.provider,
      noteOf(pool),
    ]);
    for (const line of table(["POOL", "READY", "PROVIDER", ""], rows, out.columns)) out.line(line);
    return pools.some(isShort) ? 4 : 0;
  },
} satisfies Verb & { summary: string };

function noteOf({ problem, atMs, surplus, rules, machines }: PoolView): string {
  const silent = machines.find((machine) => machine.problem !== null);
  if (problem !== null) return problem.message;
  if (silent !== undefined) return `${silent.name}: ${silent.problem?.message}`;
  if (rules?.need != null) return rules.need;
  if (atMs === null) return "its provider has not answered yet";
  return surplus.length === 0 ? "" : `not wanted any more: ${surplus.join(", ")}`;
}

/** What each rule sees, and why it acts or does not. */
function ruleLines({ rules, machines }: PoolView): readonly string[] {
  if (rules === null) return [];
  const { min, max, why, need, waiting, busy, moving } = rules;
  const kept = machines.flatMap(({ name, intent }) => (intent === null ? [] : [{ name, intent }]));
  return [
    `from ${min} to ${max} machines: ${escapeText(why)}`,
    ...(need === null ? [] : [styled("red", escapeText(need))]),
    ...[waiting, busy].flatMap((words) => (words === null ? [] : [`- ${escapeText(words)}`])),
    ...[...kept, ...moving].map(({ name, intent }) => `- ${name} ${escapeText(intent)}`),
  ];
}

const wordOf: Readonly<Record<PoolView["machines"][number]["power"], string>> = {
  on: "on",
  off: "off",
  changing: "changing",
  absent: "not there",
  unknown: "unknown",
};

const show = {
  summary: "show the machines of a pool",
  configure: (command) => command.argument("<pool>", "its name"),
  async run(session, { args }) {
    const { out, clock, common } = session;
    const pool = (await poolsOf(session)).find(({ name }) => name === args[0]);
    if (pool === undefined)
      throw new DroverError("POOL_NOT_FOUND", `space "${common.space ?? defaultSpace}" has no pool "${args[0]}"`, {
        hint: "List them with `drover pool ls`, or name another space with `--space`.",
      });
    if (out.json) {
      out.value({ pool });
      return 0;
    }
    const heard = pool.atMs === null ? "has not answered yet" : `answered ${age(pool.atMs, clock.nowMs())} ago`;
    out.line(
      `${styled("bold", escapeText(pool.name))}: ${pool.ready} of ${pool.wanted} machines are ready, at least ${pool.leastHealthy} stay well while others are mended`,
    );
    out.line(`  its provider (${pool.provider}) ${heard}`);
    if (pool.problem !== null) out.line(`  ${styled("red", escapeText(pool.problem.message))}. ${escapeText(pool.problem.hint)}`);
    for (const line of ruleLines(pool)) out.line(`  ${line}`);
    for (const { name, problem } of pool.machines)
      if (problem !== null) out.line(`  ${styled("red", escapeText(`${name}: ${problem.message}`))}. ${escapeText(problem.hint)}`);
    if (pool.publicKey !== null) out.line(`  its hosts have to let in this key: ${escapeText(pool.publicKey)}`);
    if (pool.spare.length > 0) out.line(`  spare hosts: ${escapeText(pool.spare.join(", "))}`);
    const rows = pool.machines.map(({ name, power, isReady, address, failing }) => [
      name,
      wordOf[power],
      styled(isReady ? "green" : "red", isReady ? "yes" : "no"),
      address ?? "-",
      failing.length === 0 ? "" : `fails: ${failing.join(", ")}`,
    ]);
    for (const line of table(["MACHINE", "POWER", "READY", "ADDRESS", ""], rows, out.columns)) out.line(line);
    for (const name of pool.surplus) out.line(`  ${escapeText(name)} is not wanted any more; nothing acts on it`);
    return isShort(pool) ? 4 : 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls, show } } satisfies Noun;
