import assert from "node:assert/strict";
import { test } from "node:test";
import { readOptions, usageOf } from "./program-options.ts";
import { parsePublicUrl } from "./public-url.ts";

const options = {
  "--api": { value: "HOST:PORT", help: "where it listens" },
  "--host": { value: "NAME", help: "another name", isRepeated: true },
  "--yes": { value: null, help: "do it" },
  "--down": { value: null, help: "ours alone", isHidden: true },
} as const;

test("the address in messages is one that people can follow, without a path", () => {
  assert.equal(parsePublicUrl("https://drover.example.com/"), "https://drover.example.com");
  assert.equal(parsePublicUrl("http://10.0.0.7:7373"), "http://10.0.0.7:7373");
  for (const text of ["drover.example.com", "ftp://a", "https://u@a", "https://a/drover", "https://a/?b"])
    assert.throws(() => parsePublicUrl(text), { code: "USAGE", message: `"${text}" is no address of the API` });
});

test("options are read with their values, apart or after an equals sign", () => {
  const given = readOptions("server", options, ["--api", "a:1", "--host=x", "--host", "y", "--api=b:2", "--yes"]);
  assert.deepEqual([given.one("--api"), given.all("--host"), given.has("--yes"), given.has("--down")], ["b:2", ["x", "y"], true, false]);
});

test("what is called wrongly is told with what was meant, or where to look", () => {
  const see = 'Run "drover server --help" to see the options.';
  for (const [args, message, hint] of [
    [["--hst", "x"], 'there is no option "--hst"', 'Did you mean "--host"?'],
    [["--nonsense"], 'there is no option "--nonsense"', see],
    [["more"], '"more" is no option', see],
    [["--api"], '"--api" needs HOST:PORT after it', see],
    [["--yes=no"], '"--yes" takes no value', see],
    [["--yet"], 'there is no option "--yet"', 'Did you mean "--yes"?'],
    [["--apart"], 'there is no option "--apart"', see],
    [["--dawn"], 'there is no option "--dawn"', see],
  ] as const)
    assert.throws(() => readOptions("server", options, args), { code: "USAGE", message, hint });
});

test("the help lists every option that is for people", () => {
  assert.equal(
    usageOf("server", "The server alone.", options),
    `Usage: drover server [options]

The server alone.

  --api HOST:PORT  where it listens
  --host NAME      another name; may be repeated
  --yes            do it
  -h, --help       show this
`,
  );
});
