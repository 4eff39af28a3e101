import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestProblem } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import { type Declared, readManifests } from "./read-manifests.ts";

function read(text: string, options: { variables?: Record<string, string>; space?: string } = {}): Declared {
  return readManifests({
    documents: [{ file: "app.yaml", text }],
    variables: options.variables ?? {},
    space: options.space as SpaceName | undefined,
  });
}

function refusal(action: () => unknown): DroverError {
  try {
    action();
  } catch (error) {
    if (error instanceof DroverError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "nothing was refused" });
}

function problems(text: string, variables: Record<string, string> = {}): readonly ManifestProblem[] {
  return (refusal(() => read(text, { variables })).details as { problems: ManifestProblem[] }).problems;
}

const hello = "app: hello\nrun: node server.js\n";

test("the smallest app is two lines, in YAML or JSON, with a byte order mark and any line ends", () => {
  for (const text of [
    hello,
    hello.replaceAll("\n", "\r\n"),
    `\uFEFF${hello}`,
    '{"app": "hello", "run": "node server.js"}',
    `---\n${hello}...\n`,
  ]) {
    const { apps, space } = read(text);
    assert.equal(space, "default");
    assert.equal(apps[0]?.manifest.app, "hello");
    assert.equal(apps[0]?.manifest.run, "node server.js");
  }
});

test("documents of several files are one set, and the space document names the space of them all", () => {
  const { apps, space } = readManifests({
    documents: [
      { file: "a.yaml", text: `${hello}---\napp: two\nrun: x\n` },
      { file: "space.yaml", text: "space: shop\nenv: { REGION: eu }\n---\n# nothing here\n" },
    ],
    variables: {},
  });
  assert.equal(space, "shop");
  assert.deepEqual(
    apps.map(({ manifest }) => manifest.app),
    ["hello", "two"],
  );
});

test("every wrong place is told at once, in the order of the text, with file, line, column and the nearest key", () => {
  const found = problems(
    "app: hello\nprocesses:\n  web:\n    run: x\n    instnaces: 2\n    ready: { http: ready }\nroutes:\n  - { hots: a.example }\n",
  );
  assert.deepEqual(
    found.map(({ file, line, column, path, nearest }) => ({ file, line, column, path, nearest })),
    [
      { file: "app.yaml", line: 5, column: 5, path: "processes.web.instnaces", nearest: "instances" },
      { file: "app.yaml", line: 6, column: 20, path: "processes.web.ready.http", nearest: null },
      { file: "app.yaml", line: 8, column: 7, path: "routes.0.hots", nearest: "host" },
    ],
  );
  assert.equal(found[0]?.found, '"instnaces"');
  assert.match(found[1]?.wanted ?? "", /absolute path/);
});

test("a value of a wrong type says what was found and what is wanted", () => {
  const [problem] = problems("app: hello\nrun: [a, b]\n");
  assert.equal(problem?.found, '["a","b"]');
  assert.equal(problem?.wanted, "text");
  assert.match(problems("app: hello\nrun: x\ninstances: many\n")[0]?.wanted ?? "", /number/);
  assert.match(problems("app: hello\nrun: x\ndeploy: { strategy: bluegreen }\n")[0]?.nearest ?? "", /blue-green/);
});

test("keys and documents of later versions are named as not yet supported, and nothing is dropped", () => {
  for (const text of [`${hello}jobs: { nightly: { run: x } }\n`, `${hello}image: shop\n`, "cluster: eu\nengine: swarm\n"]) {
    assert.equal(refusal(() => read(text)).code, "NOT_YET_SUPPORTED", text);
  }
});

test("an app that is declared twice is told with both places, across files too", () => {
  const error = refusal(() =>
    readManifests({
      documents: [
        { file: "a.yaml", text: hello },
        { file: "b.yaml", text: `# again\n${hello}` },
      ],
      variables: {},
    }),
  );
  const [problem] = (error.details as { problems: ManifestProblem[] }).problems;
  assert.equal(`${problem?.file}:${problem?.line}:${problem?.column}`, "b.yaml:2:6");
  assert.match(problem?.wanted ?? "", /a\.yaml:1:6/);
});

test("an overlay replaces, adds and takes away for its space alone", () => {
  const text = "app: hello\nrun: x\ninstances: 1\nenv: { A: 1, B: 2 }\noverlays:\n  prod:\n    instances: 4\n    env: { B: null, C: 3 }\n";
  const prod = read(text, { space: "prod" }).apps[0];
  assert.equal(prod?.manifest.instances, 4);
  assert.deepEqual({ ...prod?.manifest.env }, { A: "1", C: "3" });
  assert.equal(Object.hasOwn(prod?.written ?? {}, "overlays"), false);
  assert.equal(read(text).apps[0]?.manifest.instances, 1);
});

test("a mistake in an overlay is told where it stands", () => {
  const error = refusal(() => read("app: hello\nrun: x\noverlays:\n  prod:\n    instances: -1\n", { space: "prod" }));
  const [problem] = (error.details as { problems: ManifestProblem[] }).problems;
  assert.equal(problem?.line, 5);
});

test("variables are filled in everywhere but in command lines, and a missing one is an error with its place", () => {
  const text =
    "app: hello\nrun: serve --port ${PORT} --as ${NAME}\nteam: ${TEAM}\ninstances: ${COUNT}\nenv: { URL: 'https://${HOST}/$${x}', ZIP: '${ZIP}' }\n";
  const { manifest } = read(text, { variables: { TEAM: "core", COUNT: "3", HOST: "a.example", ZIP: "00123" } }).apps[0] ?? assert.fail();
  assert.equal(manifest.run, "serve --port ${PORT} --as ${NAME}");
  assert.equal(manifest.team, "core");
  assert.equal(manifest.instances, 3);
  assert.deepEqual({ ...manifest.env }, { URL: "https://a.example/${x}", ZIP: "00123" });
  const error = refusal(() => read("app: hello\nrun: x\nenv:\n  URL: ${NOWHERE}\n"));
  assert.equal(error.code, "VARIABLE_MISSING");
  const [problem] = (error.details as { problems: ManifestProblem[] }).problems;
  assert.deepEqual([problem?.line, problem?.column, problem?.path], [4, 8, "env.URL"]);
});

test("of a variable that is missing that alone is said, and not what is wanted in its place", () => {
  const found = problems('app: web\nrun: sleep 1\ninstances: "many"\nstop: { grace: "${GRACE}" }');
  assert.deepEqual(
    found.map(({ path }) => path),
    ["instances", "stop.grace"],
  );
});

test("a variable's text is a value and never becomes structure", () => {
  const { manifest } = read("app: hello\nrun: x\nenv: { A: '${A}' }\n", { variables: { A: "1}\nrun: evil" } }).apps[0] ?? assert.fail();
  assert.equal(manifest.env["A"], "1}\nrun: evil");
  assert.equal(manifest.run, "x");
});

test("hostile YAML is refused quickly and with a place", async (t) => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
    .split("")
    .map((name, i) => `${name}: &${name} [${`*${"abcdefgh"[i]},`.repeat(9)}]\n`)
    .join("")}app: hello\n`;
  const cases: Readonly<Record<string, string>> = {
    "an alias bomb": bomb,
    "an alias to itself": "app: hello\nenv: &a { A: *a }\n",
    "deep flow nesting": `app: ${"[".repeat(100_000)}`,
    "deep block nesting": Array.from({ length: 800 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
    "deep nesting on one line": `${"- ".repeat(100_000)}x`,
    "deep keys on one line": `${"? ".repeat(100_000)}x`,
    "duplicate keys": "app: hello\nrun: x\nrun: y\n",
    "a merge key": "app: hello\n<<: { run: x }\n",
    "a JavaScript tag": 'app: hello\nrun: !!js/function "x"\n',
    "a local tag": "app: hello\nrun: !exec x\n",
    __proto__: "app: hello\nrun: x\n__proto__: { polluted: true }\n",
    "__proto__ inside": 'app: hello\nrun: x\nenv: { "__proto__": "x" }\n',
    constructor: "app: hello\nrun: x\nconstructor: { prototype: 1 }\n",
    "a number without end": "app: hello\nrun: x\ninstances: 1e400\n",
    "minus zero point five": "app: hello\nrun: x\ninstances: -0.5\n",
    "a key that is no text": "app: hello\nrun: x\n? [a]\n: b\n",
    "half a character": '{"app": "hello", "run": "\\ud800"}',
    NUL: '{"app": "hello", "run": "a\\u0000b"}',
    nothing: "# nothing\n",
    "a list": "- app: hello\n",
    "an unfinished list": "app: [hello\n",
    "a tab": "app: hello\nenv:\n\tA: 1\n",
    binary: "\u0001\u0002\u0003",
  };
  for (const [name, text] of Object.entries(cases)) {
    await t.test(name, () => {
      const error = refusal(() => read(text));
      assert.ok(["MANIFEST_INVALID", "NOT_YET_SUPPORTED"].includes(error.code), error.code);
      const [problem] = (error.details as { problems: ManifestProblem[] }).problems;
      assert.ok(problem !== undefined && problem.line >= 1 && problem.column >= 1, JSON.stringify(problem));
      assert.ok(error.message.length < 1_000);
    });
  }
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("ten megabytes of YAML are refused before they are parsed", () => {
  assert.equal(refusal(() => read(`app: hello\nrun: ${"x".repeat(10_000_000)}\n`)).code, "BODY_TOO_LARGE");
});

test("text that only looks dangerous is data: booleans of Norway, numbers of old, brackets in quotes", () => {
  const { manifest } =
    read(`app: hello\nrun: "${"[".repeat(200)}"\nenv: { COUNTRY: NO, ON: on, OCTAL: 0o17, DATE: 2024-01-01, HEX: "0x10" }\n`).apps[0] ??
    assert.fail();
  assert.equal(manifest.env["COUNTRY"], "NO");
  assert.equal(manifest.env["ON"], "on");
  assert.equal(manifest.env["DATE"], "2024-01-01");
  assert.equal(manifest.env["HEX"], "0x10");
});

test("names that are no DNS labels are refused wherever a name is given", async (t) => {
  const names = [
    "",
    "a".repeat(64),
    "-a",
    "a-",
    "A",
    "a.b",
    "..",
    "a/b",
    "a%2fb",
    "a\\b",
    "é",
    "e\u0301",
    "__proto__",
    "hasOwnProperty",
    "$(id)",
    "`id`",
    ";id",
    "--help",
    "-rf",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<svg onload=alert(1)>",
    "\u202e",
    "\n[global]",
    "\u001b]52;c;x\u0007",
    "a".repeat(100_000),
  ];
  for (const name of names) {
    await t.test(JSON.stringify(name).slice(0, 40), () => {
      for (const value of [
        { app: name, run: "x" },
        { space: name },
        { app: "hello", processes: { [name]: { run: "x" } } },
        { app: "hello", run: "x", needs: [name] },
        { app: "hello", run: "x", routes: [{ to: name }] },
        { app: "hello", run: "x", overlays: { [name]: {} } },
      ]) {
        assert.ok(["MANIFEST_INVALID", "VARIABLE_MISSING"].includes(refusal(() => read(JSON.stringify(value))).code));
      }
    });
  }
});

test("the space of Drover's own programs is nobody else's", () => {
  assert.equal(refusal(() => read("space: drover\n")).code, "MANIFEST_INVALID");
  assert.equal(refusal(() => read(hello, { space: "drover" })).code, "MANIFEST_INVALID");
});

test("what belongs to the space is told so where it stands in the document of an app", () => {
  const { message, hint } = refusal(() => read(`${hello}logs: { keep: { age: 1d } }\n`));
  assert.match(message, /logs: found "logs", wanted it in the document of its space, which begins with `space: NAME`/);
  assert.doesNotMatch(hint, /Did you mean/);
});
