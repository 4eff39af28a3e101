import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestProblem } from "#model/api.ts";
import { startApi } from "../api/testing/api-fixture.ts";

const request = (text: string) => ({ documents: [{ file: "a.yaml", text }] });
const ladder = (levels: string, checks: string) => `ladder: small\nlevels:\n${levels}checks: { ${checks} }\n`;
const app = "  - { name: app, do: app.redeploy }\n";
const shop = (more: string) => `app: shop\nrun: exec sleep 1000\nport: none\n${more}`;

test("a ladder is applied with the apps of its space, planned before, unchanged after, and removed by prune", async () => {
  await using api = await startApi();
  const manifest = request(
    `${shop("checks: { up: { tcp: 80, host: a.example } }\n")}---\n${ladder(app, "net: { tcp: 1, host: a.example, level: app }")}`,
  );
  type Plan = { changes: { kind: string; name: string; action: string }[] };
  const actions = ({ changes }: Plan) => changes.filter(({ kind }) => kind === "ladder").map(({ name, action }) => `${name} ${action}`);
  assert.deepEqual(actions(await api.call<Plan>("POST", "/v1/plan", manifest)), ["small create"]);
  assert.deepEqual(actions((await api.call<{ plan: Plan }>("POST", "/v1/apply", manifest)).plan), ["small create"]);
  assert.deepEqual(actions((await api.call<{ plan: Plan }>("POST", "/v1/apply", manifest)).plan), ["small none"]);
  const pruned = await api.call<{ plan: Plan }>("POST", "/v1/apply", { ...request(shop("")), prune: true });
  assert.deepEqual(actions(pruned.plan), ["small destroy"]);
});

test("an app that asks for what the applied ladder does not have is refused, and so is the ladder that takes it away", async () => {
  await using api = await startApi();
  await api.call("POST", "/v1/apply", request(ladder(app, "net: { tcp: 1, host: a.example, level: app }")));
  const refused = await api.fetch("POST", "/v1/apply", {
    json: request(shop("checks: { up: { tcp: 80, host: a.example, level: net } }\n")),
  });
  assert.match(await refused.text(), /a level of the ladder: app/);
  await api.call("POST", "/v1/apply", request(shop("checks: { up: { tcp: 80, host: a.example, level: app } }\n")));
  const renamed = ladder("  - { name: apps, do: app.redeploy }\n", "net: { tcp: 1, host: a.example, level: apps }");
  assert.match(await (await api.fetch("POST", "/v1/apply", { json: request(renamed) })).text(), /app \\"shop\\" has/);
});

test("e-mail needs a server that takes it, and its password has to be a secret that is set", async () => {
  await using api = await startApi();
  const tells = `${ladder(app, "net: { tcp: 1, host: a.example, level: app }")}tell: [{ email: a@example.com }]\n`;
  const mail = (more: string) => `${tells}mail: { host: mail.example.com, from: d@example.com${more} }\n`;
  const problems = async (text: string) => {
    const response = await api.fetch("POST", "/v1/apply", { json: request(text) });
    const { details } = (await response.json()) as { details?: { problems: ManifestProblem[] } };
    return details?.problems.map(({ line, path, found, wanted }) => `${line} ${path}: ${found}; ${wanted}`) ?? ["nothing"];
  };
  assert.deepEqual(await problems(tells), ['5 tell.0.email: "a@example.com"; a server that takes it, under `mail` of the ladder']);
  assert.match((await problems(mail(", user: u")))[0] ?? "", /mail\.user: .*user and password, or neither/);
  assert.match((await problems(mail(", user: u, password: P, tls: off")))[0] ?? "", /mail\.tls: .*not sent in the clear/);
  assert.match(
    (await problems(mail(", user: u, password: P")))[0] ?? "",
    /^6 mail\.password: secret "P", which is not set; .*drover secret set P/,
  );
  await api.call("POST", "/v1/apply", request(shop("")));
  await api.call("PUT", "/v1/spaces/default/secrets/P", { value: "x" });
  assert.deepEqual(await problems(mail(", user: u, password: P")), ["nothing"]);
});

const later: readonly (readonly [what: string, text: string, path: string])[] = [
  [
    "an action on machines",
    ladder("  - { name: m, do: machine.replace }\n", "ping: { icmp: true, each: machine, level: m }"),
    "levels.0.do",
  ],
  ["a metric", ladder(app, "m: { metric: { name: load, above: 3 }, level: app }"), "checks.m.metric"],
];
for (const [what, text, path] of later)
  test(`refused as not yet supported, with its place: ${what}`, async () => {
    await using api = await startApi();
    const response = await api.fetch("POST", "/v1/apply", { json: request(text) });
    const { code, details } = (await response.json()) as { code: string; details: { problems: ManifestProblem[] } };
    assert.equal(code, "NOT_YET_SUPPORTED");
    assert.deepEqual(
      details.problems.map((problem) => problem.path),
      [path],
    );
  });
