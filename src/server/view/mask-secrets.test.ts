import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf } from "#model/log-fields.ts";
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

test("a value that is made of fields itself leaves none of them, whatever else a line says", () => {
  const mask = maskOf({ DSN: "host=db password=hunter2", KEY: '{"type":"account","key":"-----BEGIN"}' });
  const fieldsShown = (text: string) => ({ ...mask.event({ instance: web, text, fields: fieldsOf(text) }).fields });
  assert.deepEqual(fieldsShown("password=x host=db password=hunter2 took=12"), { took: "12" });
  assert.deepEqual(fieldsShown('{"type":"account","key":"-----BEGIN"}'), {});
  assert.deepEqual(fieldsShown('{"n":1,"key":{"type":"account","key":"-----BEGIN"}}'), { n: 1 });
  assert.deepEqual(fieldsShown('{"host=db password=hunter2":1,"n":2}'), { n: 2 });
  assert.deepEqual(fieldsShown('{"msg":"a \\"b\\"","dsn":"host=db password=hunter2"}'), { msg: 'a "b"', dsn: "******" });
});

test("a value is found as other languages and addresses write it, and in fields that were read out of escapes or are numbers", () => {
  const mask = maskOf({ A: "pa/ss<w\u00f6rd>", PIN: "12345678" });
  for (const text of [
    "pa\\/ss<w\u00f6rd>",
    "pa/ss\\u003cw\u00f6rd\\u003e",
    "pa/ss<w\\u00f6rd>",
    "pa%2Fss%3Cw%C3%B6rd%3E",
    "cGEvc3M8d8O2cmQ-",
  ])
    assert.equal(mask.text(web, `x ${text} y`), "x ****** y", text);
  const event = {
    instance: web,
    text: '{"t":"\\u0070a/ss<w\u00f6rd>","pin":12345678,"n":1}',
    fields: { t: "pa/ss<w\u00f6rd>", pin: 12345678, n: 1 },
  };
  assert.deepEqual(mask.event(event).fields, { t: "******", pin: "******", n: 1 });
});

test("a space that was made anew has other values under the same versions", () => {
  let [value, updatedAtMs] = ["first-value", 1];
  const secrets: Pick<Secrets, "versions" | "reveal"> = { versions: () => [{ name: "A", version: 1, updatedAtMs }], reveal: () => value };
  const mask = new SecretMask(secrets as Secrets);
  assert.equal(mask.text(web, "first-value"), "******");
  [value, updatedAtMs] = ["other-value", 2];
  assert.equal(mask.text(web, "other-value"), "******");
});
