import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestProblem } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { ladderProblems } from "./ladder-documents.ts";
import { throwProblems } from "./problems.ts";
import { readManifests } from "./read-manifests.ts";

/** `line:column path: found` of every problem, after the code. */
function refusal(...texts: readonly string[]): readonly string[] {
  try {
    const declared = readManifests({ documents: texts.map((text, i) => ({ file: `${"abc"[i]}.yaml`, text })), variables: {} });
    throwProblems(ladderProblems(declared, null, []));
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    const { problems } = error.details as { problems: readonly ManifestProblem[] };
    return [error.code, ...problems.map(({ line, column, path, found, wanted }) => `${line}:${column} ${path}: ${found}; ${wanted}`)];
  }
  return ["nothing"];
}

const production = `ladder: production
settle: 30s
levels:
  - { name: provider, run: ./infra/account.sh, quiet: 10m, approve: true }
  - { name: network, run: terraform apply -auto-approve, quiet: 5m }
  - { name: pool, do: pool.create, quiet: 5m }
  - { name: machine, do: machine.replace, quiet: 3m, attempts: 2 }
  - { name: converge, do: machine.converge, quiet: 2m, check: services-online }
  - { name: app, do: app.redeploy, quiet: 1m, attempts: 3, then: app.rollback }
checks:
  provider-online: { http: https://provider.example/health, level: provider }
  node-ping: { icmp: true, each: machine, level: machine }
  services-online: { tcp: [22, 2377], each: machine, level: converge }
  pool-serves: { each: pool, ready: 1, level: pool }
  smoke: { http: https://shop.example.com/, expect: { status: 200, body: /cart/ }, level: app, expected: { days: [mon, fri], from: "08:00", until: "18:00", zone: Europe/Berlin } }
guard: { actions_per_hour: 12, at_once: 25%, suspect_monitor: 80% }
tell: [{ webhook: https://chat.example/hook }]
`;

test("the ladder of the design fits", () => {
  assert.deepEqual(refusal(production), ["nothing"]);
});

const small = (more: string, levels = "  - { name: app, do: app.redeploy }\n") => `ladder: small\nlevels:\n${levels}${more}`;
const shop = (more: string) => `app: shop\nrun: x\n${more}`;
const asks = "checks: { up: { tcp: 80, level: app } }\n";

const wrong: readonly (readonly [what: string, texts: readonly string[], says: RegExp])[] = [
  ["no levels at all", ["ladder: small\nlevels: []\n"], /2:9 levels: \[\]; at least one level/],
  [
    "a check that asks for a level that does not exist",
    [small("checks: { up: { tcp: 80, level: ap } }\n")],
    /checks\.up\.level: "ap"; a level of the ladder: app/,
  ],
  [
    "a level that nothing asks for",
    [small(asks, "  - { name: net, run: x }\n  - { name: app, do: app.redeploy }\n")],
    /3:13 levels\.0\.name: level "net", which no check asks for/,
  ],
  [
    "two levels of one name",
    [small(asks, "  - { name: app, run: x }\n  - { name: app, do: app.redeploy }\n")],
    /4:13 levels\.1\.name: level "app" again/,
  ],
  [
    "a quiet period longer than the expected hours",
    [small("checks: { up: { tcp: 80, level: app, expected: { from: '08:00', until: '08:01', zone: UTC } } }\n")],
    /checks\.up\.expected: hours of 1m/,
  ],
  [
    "a check of an app that asks for a level of machines",
    [small("checks: { up: { tcp: 80, each: app, level: m } }\n", "  - { name: m, do: machine.replace }\n")],
    /checks\.up\.level: level "m", which acts on a machine/,
  ],
  [
    "a lighter level that acts on more than a heavier one",
    [small(asks, "  - { name: app, do: app.redeploy }\n  - { name: net, run: x }\n")],
    /levels\.1\.name: level "net" of a space below "app" of a app/,
  ],
  ["a level whose check does not exist", [small(asks, "  - { name: app, do: app.redeploy, check: upp }\n")], /levels\.0\.check: "upp"/],
  ["two ladders that claim one check", [small(asks), small(asks)], /checks\.up: check "up", which "small" claims too/],
  [
    "an app's check that its own escalate and the ladder claim",
    [small(asks), shop("checks: { order: { run: x, level: app } }\nescalate: [restart]\n")],
    /3:35 checks\.order\.level: level "app" beside the app's own escalate/,
  ],
  [
    "an app's check with a level where there is no ladder",
    [shop("checks: { order: { run: x, level: machine } }\n")],
    /checks\.order\.level: "machine"/,
  ],
  ["an app's check for each of something", [small(asks), shop("checks: { order: { run: x, each: pool } }\n")], /checks\.order\.each/],
  ["a check without a test", [small("checks: { up: { level: app } }\n")], /checks\.up: .*; exactly one of http, tcp/],
  ["a check with two tests", [small("checks: { up: { tcp: 80, icmp: true, level: app } }\n")], /exactly one of http, tcp/],
  ["an unknown key, with the nearest", [small("checks: { up: { tcp: 80, levle: app } }\n")], /checks\.up\.levle: "levle"/],
  ["a level that does two things", [small(asks, "  - { name: app, do: app.redeploy, run: x }\n")], /exactly one of do and run/],
  [
    "a time zone that does not exist",
    [small("checks: { up: { tcp: 80, level: app, expected: { zone: Europe/Atlantis } } }\n")],
    /expected\.zone: "Europe\/Atlantis"/,
  ],
  ["an address that is no web address", [small("checks: { up: { http: file:///etc/passwd, level: app } }\n")], /checks\.up\.http/],
  ["telling before trying", [shop("escalate: [tell, restart]\n")], /escalate: .*; tell as the last/],
];
for (const [what, texts, says] of wrong)
  test(`refused: ${what}`, () => {
    const [code, ...problems] = refusal(...texts);
    assert.equal(code, "MANIFEST_INVALID", problems.join("\n"));
    assert.match(problems.join("\n"), says);
  });
