import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import { startApi } from "../api/testing/api-fixture.ts";
import { objects } from "../objects/objects.ts";
import { apply } from "./apply.ts";
import { setSecret } from "./secret-operations.ts";

const opened = startApi();
after(async () => (await opened)[Symbol.asyncDispose]());

const declare = async (text: string, beyond: string[] = []) =>
  apply(
    (await opened).services,
    { documents: [{ file: "space.yaml", text }], variables: {}, artifacts: {}, prune: false, force: false, cause: "apply" },
    { beyondApps: (kind) => beyond.push(kind) },
  );
const stored = async (space: string) => objects.space((await opened).services.store, space as SpaceName)?.value;
const refused = (text: string, found: RegExp) =>
  assert.rejects(declare(text), (error) => {
    assert.ok(error instanceof DroverError && error.code === "MANIFEST_INVALID");
    assert.match(JSON.stringify(error.details), found);
    return true;
  });

test("a destination is kept with the moment from which it gets lines, until it is another receiver", async () => {
  await declare("space: one\nlogs: { ship: { a: { http: 'https://a.example/in' }, b: { syslog: 'b.example:6514' } } }");
  const before = await stored("one");
  assert.deepEqual(before?.logs?.ship?.["b"], { syslog: "b.example:6514" });
  await declare(
    "space: one\nlogs: { ship: { a: { http: 'https://a.example/other' }, b: { syslog: 'b.example:6514', search: 'level>=warn' } } }",
  );
  const changed = await stored("one");
  assert.equal(changed?.shipsSinceMs?.["b"], before?.shipsSinceMs?.["b"], "what it gets of all lines may change");
  assert.equal(changed?.logs?.ship?.["b"]?.search, "level>=warn");
  assert.ok((changed?.shipsSinceMs?.["a"] ?? 0) >= (before?.shipsSinceMs?.["a"] ?? 0));
  await declare("app: web\nrun: sleep 1");
  assert.deepEqual((await stored("one"))?.logs, changed?.logs, "documents that do not name the space leave it as it is");
  await declare("space: one");
  assert.equal((await stored("one"))?.logs, undefined);
});

test("a secret that a destination needs has to be set before", async () => {
  const text = "space: two\nlogs: { ship: { a: { otlp: 'https://a.example', headers: { Authorization: TOKEN } } } }";
  await refused(text, /secret set TOKEN --space two/);
  await declare("space: two");
  await setSecret((await opened).services, { space: "two" as SpaceName, name: "TOKEN", receipt: null }, "Bearer x");
  await declare(text);
});

test("the value of a secret in place of its name, or a receiver that is no address, is one problem that says what to write", async () => {
  const refusedOnce = (destination: string, wanted: RegExp) =>
    assert.rejects(declare(`space: two\nlogs: { ship: { a: ${destination} } }`), (error) => {
      assert.ok(error instanceof DroverError);
      const said = JSON.stringify(error.details);
      assert.match(said, wanted);
      assert.equal(said.split('"wanted"').length, 2, said);
      return true;
    });
  await refusedOnce("{ http: 'https://a.example', headers: { Authorization: 'Bearer x' } }", /the name of a secret of the space/);
  await refusedOnce("{ http: a.example }", /begins with https/);
  await refusedOnce("{ syslog: a.example }", /a host and a port/);
});

test("lines of other spaces and of Drover itself take more than the right to deploy, whenever such a destination changes", async () => {
  const beyond: string[] = [];
  await declare("space: three\nlogs: { ship: { a: { http: 'https://a.example/in' } } }", beyond);
  assert.deepEqual(beyond, []);
  const all = "{ http: 'https://b.example/in', from: { spaces: all, own: true } }";
  await declare(`space: three\nlogs: { ship: { b: ${all} } }`, beyond);
  await declare(`space: three\nlogs: { ship: { b: ${all} } }`, beyond);
  await declare(`space: three\nlogs: { ship: { b: ${all}, c: { http: 'https://c.example/in' } } }`, beyond);
  assert.deepEqual(beyond, ["logs-of-others"]);
  await declare(`space: three\nlogs: { ship: { b: ${all.replace("b.example", "d.example")} } }`, beyond);
  await declare("space: three", beyond);
  assert.equal(beyond.length, 3);
});

test("what a destination cannot be is refused where it stands", async () => {
  const of = (destination: string) => `space: four\nlogs: { ship: { a: ${destination} } }`;
  await refused(of("{ }"), /exactly one of/);
  await refused(of("{ http: 'https://a.example', otlp: 'https://a.example' }"), /exactly one of/);
  await refused(of("{ http: 'https://me:pass@a.example' }"), /without a password in it/);
  await refused(of("{ http: 'http://a.example', user: me, password: SECRET }"), /not sent in the clear/);
  await refused(of("{ syslog: a.example }"), /a host and a port/);
  await refused(of("{ syslog: 'a.example:0' }"), /a port from 1 to 65535/);
  await refused(of("{ syslog: 'a.example:514', headers: { X: Y } }"), /syslog has no headers/);
  await refused(of("{ http: 'https://a.example', headers: { Transfer-Encoding: Y } }"), /none of those that Drover sends itself/);
  await refused(of("{ http: 'https://a.example', search: 'level:loud' }"), /a search as/);
  await refused(of("{ http: 'https://a.example', stream: x }"), /elasticsearch beside it/);
});

test("apps and spaces that a destination names and that there are not are warned of, and may come later", async () => {
  const text =
    "space: five\nlogs: { ship: { a: { http: 'https://a.example', apps: [wbe, web] }, b: { http: 'https://b.example', from: { spaces: [none] } } } }";
  const warned = async (documents: string) => (await declare(documents)).plan.changes.find(({ kind }) => kind === "space")?.warnings;
  const none = 'destination "b" gets the lines of space "none", which there is not (yet)';
  const missing = (app: string) => `destination "a" gets the lines of "${app}", which space "five" does not have (yet)`;
  assert.deepEqual(await warned(text), [missing("wbe"), missing("web"), none]);
  assert.deepEqual(await warned(`${text}\n---\napp: web\nrun: sleep 1`), [`${missing("wbe")}; did you mean "web"?`, none]);
  await declare("space: none");
  assert.deepEqual(await warned(`${text}\n---\napp: wbe\nrun: sleep 1`), []);
  assert.deepEqual(await warned(text), [], "they stay, though this file does not declare them");
});
