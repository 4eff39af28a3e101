import assert from "node:assert/strict";
import { test } from "node:test";
import type { Secrets } from "../secrets/secrets.ts";
import { SecretMask } from "./mask-secrets.ts";

function maskOf(values: Readonly<Record<string, string>>): SecretMask {
  const secrets: Pick<Secrets, "versions" | "reveal"> = {
    versions: (space) => (space === "shop" ? Object.keys(values).map((name) => ({ name, version: 1, updatedAtMs: 0 })) : []),
    reveal: (_space, name) => values[name] ?? "",
  };
  return new SecretMask(secrets as Secrets);
}
const web = "shop/api/web.1.aaaaa";

test("values of the space's secrets are taken out, as they are, as JSON writes them, and line by line", () => {
  const key = `-----BEGIN KEY-----\n${"k".repeat(64)}\n-----END KEY-----`;
  const mask = maskOf({ A: "s3cret.value", B: 'quo"ted value', C: key, D: "s3cret.value-and-more" });
  assert.equal(mask.text(web, "url=x?key=s3cret.value&y s3cretXvalue"), "url=x?key=******&y s3cretXvalue");
  assert.equal(mask.text(web, "s3cret.value-and-more"), "******");
  assert.equal(mask.text(web, '{"p":"quo\\"ted value"}'), '{"p":"******"}');
  assert.equal(mask.text(web, `  ${"k".repeat(64)}`), "  ******");
});

test("a value that was followed by another is taken out as long as a release may have it", () => {
  const secrets: Pick<Secrets, "versions" | "reveal"> = {
    versions: () => [1, 2].map((version) => ({ name: "A", version, updatedAtMs: 0 })),
    reveal: (_space, _name, version) => `s3cret.value${version}`,
  };
  assert.equal(new SecretMask(secrets as Secrets).text(web, "s3cret.value1 s3cret.value2"), "****** ******");
});

test("other spaces' texts and short values stay as they are", () => {
  const mask = maskOf({ A: "s3cret.value", B: "abc" });
  assert.equal(mask.text("other/api/web.1.aaaaa", "s3cret.value"), "s3cret.value");
  assert.equal(mask.text(web, "abcdef"), "abcdef");
});

test("fields of an event are masked with its text", () => {
  const event = { instance: web, text: '{"token":"s3cret.value","n":1}', fields: { token: "s3cret.value", n: 1 } };
  assert.deepEqual(maskOf({ A: "s3cret.value" }).event(event), {
    instance: web,
    text: '{"token":"******","n":1}',
    fields: { token: "******", n: 1 },
  });
});
