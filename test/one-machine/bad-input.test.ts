import assert from "node:assert/strict";
import { test } from "node:test";
import { freePorts } from "#host/testing/free-ports.ts";
import { request, TestDrover } from "../harness/drover.ts";

/** What people get wrong. Each row: a clear error with its code and a hint, nothing changed, nothing left behind. */

interface Row {
  readonly what: string;
  readonly manifest: string;
  readonly code: string;
  /** Words that the error has to have. */
  readonly says: RegExp;
}

const aliasBomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghi"].map((key, i) => `${key}: &${key} [${Array(9).fill(`*${"abcdefghi"[i]}`).join(",")}]`).join("\n")}\n`;

const rows: readonly Row[] = [
  { what: "a wrong type", manifest: "app: shop\nrun: x\ninstances: many\n", code: "MANIFEST_INVALID", says: /3:\d+.*/ },
  { what: "an unknown key, with the nearest", manifest: "app: shop\nrun: x\nrotues: []\n", code: "MANIFEST_INVALID", says: /routes/ },
  { what: "a duplicate app", manifest: "app: shop\nrun: x\n---\napp: shop\nrun: y\n", code: "MANIFEST_INVALID", says: /shop/ },
  { what: "a duplicate key", manifest: "app: shop\nrun: x\nrun: y\n", code: "MANIFEST_INVALID", says: /run|unique|duplicate/i },
  { what: "a YAML alias bomb", manifest: aliasBomb, code: "MANIFEST_INVALID", says: /alias/i },
  { what: "a name that is no DNS label", manifest: "app: My_Shop\nrun: x\n", code: "MANIFEST_INVALID", says: /a-z/ },
  { what: "a port out of range", manifest: "app: shop\nrun: x\nport: 70000\n", code: "MANIFEST_INVALID", says: /65535/ },
  { what: "nothing to run", manifest: "app: shop\n", code: "MANIFEST_INVALID", says: /run/ },
  { what: "a key that later versions honour", manifest: "app: shop\nrun: x\njobs: {}\n", code: "NOT_YET_SUPPORTED", says: /jobs/ },
  { what: "a kind that later versions honour", manifest: "cluster: eu\n", code: "NOT_YET_SUPPORTED", says: /cluster/ },
  { what: "a ladder without levels", manifest: "ladder: production\n", code: "MANIFEST_INVALID", says: /levels/ },
  { what: "a duration without its unit", manifest: "app: shop\nrun: x\nstop: { grace: 30 }\n", code: "MANIFEST_INVALID", says: /30s/ },
  { what: "YAML that is none", manifest: "app: [shop\n", code: "MANIFEST_INVALID", says: /\d+:\d+/ },
  {
    what: "a secret that the space does not have",
    manifest: "app: shop\nrun: x\nsecrets: [STRIPE_KEY]\n",
    code: "SECRET_MISSING",
    says: /STRIPE_KEY/,
  },
  { what: "a prototype key", manifest: "app: shop\nrun: x\n__proto__: { polluted: true }\n", code: "MANIFEST_INVALID", says: /__proto__/ },
];

test("manifests that are wrong get a clear error and change nothing", async (t) => {
  await using drover = await TestDrover.start();
  for (const { what, manifest, code, says } of rows) {
    await t.test(what, async () => {
      const finished = await drover.cli(["apply", "-"], { input: manifest });
      assert.equal(finished.code, 2, finished.stdout + finished.stderr);
      assert.match(finished.stderr, new RegExp(`\\[${code}\\]`));
      assert.match(finished.stderr, /^hint: /m);
      assert.match(finished.stderr, says);
      const json = await drover.cli(["apply", "-", "--json"], { input: manifest });
      assert.equal(JSON.parse(json.stdout).code, code);
      assert.equal((await drover.run("apps", "--json")).includes("shop"), false, "nothing was created");
    });
  }
  await t.test("ten megabytes of YAML", async () => {
    const finished = await drover.cli(["apply", "-"], { input: `app: shop\nrun: x\nteam: "${"x".repeat(10 * 2 ** 20)}"\n` });
    assert.equal(finished.code, 2, finished.stderr.slice(0, 500));
    assert.match(finished.stderr, /\[(MANIFEST_INVALID|BODY_TOO_LARGE)\]/);
  });
  await t.test("a client with a wrong token is turned away", async () => {
    const finished = await drover.cli(["apps"], { env: { DROVER_TOKEN: "drv_admin_wrong" } });
    assert.equal(finished.code, 6, finished.stderr);
    assert.match(finished.stderr, /UNAUTHENTICATED/);
  });
  await t.test("a page in a browser cannot use the API: foreign host and foreign origin are refused", async () => {
    const token = await drover.token();
    const ask = (headers: Record<string, string>) =>
      request({
        port: drover.apiPort,
        method: "POST",
        path: "/v1/apply",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
        body: "{}",
      });
    assert.equal((await ask({ host: "evil.example" })).status, 403);
    assert.equal((await ask({ origin: "http://evil.example" })).status, 403);
    assert.equal((await ask({ "sec-fetch-site": "cross-site" })).status, 403);
    assert.equal((await ask({ "content-type": "text/plain" })).status, 415);
  });
  await t.test("a second Drover on the same home is refused, and the first goes on", async () => {
    const [api, http] = await freePorts(2);
    const finished = await drover.cli(["up", "--api", `127.0.0.1:${api}`, "--http", `127.0.0.1:${http}`]);
    assert.equal(finished.code, 2, finished.stdout + finished.stderr);
    assert.match(finished.stdout + finished.stderr, /HOME_IN_USE/);
    await drover.status();
  });
  await t.test("a source without anything to run says what was looked for", async () => {
    await drover.file("empty/notes.txt", "nothing here\n");
    const finished = await drover.cli(["push", `${drover.home}/work/empty`]);
    assert.equal(finished.code, 2, finished.stdout + finished.stderr);
    assert.match(finished.stderr, /BUILD_SOURCE_UNKNOWN/);
    assert.match(finished.stderr, /Procfile|package\.json/);
  });
  await t.test("a build that fails shows its last lines", async () => {
    await drover.file("broken/drover.yaml", "app: broken\nsource: .\nbuild: { run: 'echo it broke here; exit 3' }\nrun: x\n");
    const finished = await drover.cli(["push", `${drover.home}/work/broken`]);
    assert.equal(finished.code, 1, finished.stdout + finished.stderr);
    assert.match(finished.stderr, /BUILD_FAILED/);
    assert.match(finished.stdout + finished.stderr, /it broke here/);
  });
  await t.test("what destroys asks first, and refuses without a terminal", async () => {
    await drover.apply("app: keep\nrun: exec sleep 1000\nport: none\n");
    const finished = await drover.cli(["destroy", "keep"]);
    assert.equal(finished.code, 2);
    assert.match(finished.stderr, /CONFIRMATION_NEEDED/);
    assert.match(finished.stderr, /--yes/);
    assert.match(await drover.run("apps", "--json"), /keep/);
  });
});
