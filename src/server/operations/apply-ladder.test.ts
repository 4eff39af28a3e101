import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestProblem, SecretView } from "#model/api.ts";
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

test("a secret that e-mail or a pool needs stays; one that signs webhooks can go, and says what goes without it", async () => {
  await using api = await startApi();
  await api.call("POST", "/v1/apply", request("space: default\n"));
  for (const name of ["P", "CLOUD", "DROVER_WEBHOOK_SECRET"]) await api.call("PUT", `/v1/spaces/default/secrets/${name}`, { value: "x" });
  const tells = "tell: [{ email: a@example.com }, { webhook: 'https://hook.example/' }]\n";
  const mail = "mail: { host: mail.example.com, from: d@example.com, user: u, password: P }\n";
  const pool = "---\npool: web\nmachines: 1\nprovider: { command: x, secrets: [CLOUD] }\n";
  const declared = ladder(app, "net: { tcp: 1, host: a.example, level: app }");
  await api.call("POST", "/v1/apply", request(`${declared}${tells}${mail}${pool}`));
  const { secrets } = await api.call<{ secrets: SecretView[] }>("GET", "/v1/spaces/default/secrets");
  assert.deepEqual(Object.fromEntries(secrets.map(({ name, usedBy, signs }) => [name, [usedBy, signs]])), {
    CLOUD: [["pool/web"], []],
    DROVER_WEBHOOK_SECRET: [[], ["ladder/small"]],
    P: [["ladder/small"], []],
  });
  const removed = async (name: string) => (await api.fetch("DELETE", `/v1/spaces/default/secrets/${name}`)).text();
  assert.match(await removed("P"), /CONFLICT.*the secret P is used by \\"ladder\/small\\"/);
  assert.match(await removed("CLOUD"), /CONFLICT.*used by \\"pool\/web\\"/);
  await removed("DROVER_WEBHOOK_SECRET");
  const told = api.services.events.query({ limit: 100 }).map(({ message }) => message);
  assert.ok(told.includes("secret DROVER_WEBHOOK_SECRET is gone; webhooks of ladder/small are not signed any more"), told.join("\n"));
  await api.call("POST", "/v1/apply", request(declared));
  await removed("P");
  const left = await api.call<{ secrets: SecretView[] }>("GET", "/v1/spaces/default/secrets");
  assert.deepEqual(
    left.secrets.map(({ name }) => name),
    ["CLOUD"],
  );
});

const machines = ladder("  - { name: m, do: machine.converge }\n", "ping: { icmp: true, each: machine, level: m }");
const pool = (provider: string) => `pool: web\nmachines: 2\nprovider: { command: ${provider} }\n`;
const verbs = "{ list: x, create: x, destroy: x }";

test("a level that acts on machines needs a pool that can do that, whichever of the two is declared first", async () => {
  await using api = await startApi();
  const refusal = async (text: string) => (await api.fetch("POST", "/v1/apply", { json: request(text) })).text();
  assert.match(await refusal(machines), /levels\.0\.do: found machine\.converge, wanted a pool in the space/);
  assert.match(await refusal(`${machines}---\n${pool(verbs)}`), /wanted a command for converge in the provider of pool \\"web\\"/);
  await api.call("POST", "/v1/apply", request(`${machines}---\n${pool("x")}`));
  assert.match(await refusal(pool(verbs)), /the space's ladder has machine\.converge, wanted a command for converge/);
});

test("a pool is applied, planned before and unchanged after; another space cannot have its name, and prune forgets it", async () => {
  await using api = await startApi();
  type Plan = { changes: { kind: string; name: string; action: string; warnings: string[] }[] };
  const of = ({ changes }: Plan) => changes.filter(({ kind }) => kind === "pool").map(({ name, action }) => `${name} ${action}`);
  assert.deepEqual(of(await api.call<Plan>("POST", "/v1/plan", request(pool("x")))), ["web create"]);
  assert.deepEqual(of((await api.call<{ plan: Plan }>("POST", "/v1/apply", request(pool("x")))).plan), ["web create"]);
  assert.deepEqual(of((await api.call<{ plan: Plan }>("POST", "/v1/apply", request(pool("x")))).plan), ["web none"]);
  const other = await api.fetch("POST", "/v1/apply", { json: request(`space: other\n---\n${pool("x")}`) });
  assert.match(await other.text(), /a name that no other pool has; space \\"default\\" has it/);
  const { plan } = await api.call<{ plan: Plan }>("POST", "/v1/apply", { ...request(shop("")), prune: true });
  assert.deepEqual(of(plan), ["web destroy"]);
  assert.match(plan.changes.find(({ kind }) => kind === "pool")?.warnings[0] ?? "", /its machines stay/);
});

test("what a pool cannot be is refused with its place, and a secret that is not there is named", async () => {
  await using api = await startApi();
  const refusal = async (text: string) => (await api.fetch("POST", "/v1/apply", { json: request(text) })).text();
  assert.match(
    await refusal("pool: web\nmachines: { min: 3, max: 1 }\nprovider: { command: x }\n"),
    /machines\.max.*at least min, which is 3/,
  );
  assert.match(await refusal("pool: web\nmachines: { min: 3, idle: 5m }\nprovider: { command: x }\n"), /machines\.idle.*`max` beside it/);
  assert.match(
    await refusal("pool: web\nmachines: 2\nprovider: { ssh: [10.0.0.1] }\n"),
    /provider\.ssh.*as many hosts as machines, which are 2/,
  );
  assert.match(await refusal("pool: web\nmachines: 1\nprovider: { ssh: [m1=10.0.0.1] }\n"), /provider\.ssh.*\[USER@\]HOST/);
  assert.match(await refusal("pool: web\nmachines: 1\nprovider: { ssh: { hosts: [10.0.0.1], key: KEY } }\n"), /SECRET_MISSING.*KEY/);
  assert.match(
    await refusal("pool: web\nmachines: 1\nprovider: { ssh: [ops@10.0.0.1, 'root@10.0.0.1:22'] }\n"),
    /provider\.ssh.*each host once, whoever logs in there|provider\.ssh.*each once/,
  );
  assert.match(await refusal("pool: web\nmachines: 1\nprovider: { aws: { region: x } }\n"), /provider.*aws/);
  assert.match(await refusal("pool: web\nmachines: 1\nprovider: { every: 5s }\n"), /provider.*a map with one of command, ssh and redfish/);
  const metal = "pool: web\nmachines: 1\nprovider: { redfish: { machines: [{ bmc: BMC, address: 10.0.0.1 }], user: U, password: P } }\n";
  assert.match(
    await refusal(metal.replace("BMC", "http://10.1.0.1")),
    /provider\.redfish\.machines\.0\.bmc.*https:\/\/10\.1\.0\.11, without a user/,
  );
  const one = "{ bmc: BMC, address: 10.0.0.1 }";
  const twice = metal.replace(one, `${one}, { bmc: BMC/, address: 10.0.0.2 }`).replaceAll("BMC", "https://10.1.0.1");
  assert.match(await refusal(twice), /provider\.redfish\.machines.*each controller once/);
  const noCa = metal.replace("BMC", "https://10.1.0.1").replace("user: U", "ca: '-----BEGIN CERTIFICATE-----', user: U");
  assert.match(await refusal(noCa), /provider\.redfish\.ca.*certificates as PEM/);
  assert.match(await refusal(metal.replace("BMC", "https://10.1.0.1")), /SECRET_MISSING.*U/);
  await api.call("PUT", "/v1/spaces/default", {});
  for (const secret of ["U", "P"]) await api.call("PUT", `/v1/spaces/default/secrets/${secret}`, { value: "x" });
  const anew =
    "---\nladder: l\nlevels: [{ name: machine, do: machine.replace }]\nchecks: { ping: { icmp: true, each: machine, level: machine } }\n";
  assert.match(
    await refusal(`${metal.replace("BMC", "https://10.1.0.1")}${anew}`),
    /machine\.power-cycle: the provider of pool .*web.* makes none anew/,
  );
  const cycle =
    "---\nladder: l\nlevels: [{ name: machine, do: machine.power-cycle }]\nchecks: { ping: { icmp: true, each: machine, level: machine } }\n";
  assert.match(
    await refusal(`pool: web\nmachines: 1\nprovider: { ssh: [10.0.0.1] }\n${cycle}`),
    /a pool whose provider has power; that of pool .*web.* has not/,
  );
  assert.match(await refusal("pool: web\nmachines: 1\nprovider: { command: x, secrets: [KEY] }\n"), /SECRET_MISSING.*KEY/);
});
