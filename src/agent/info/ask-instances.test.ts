import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { InstanceId } from "#model/names.ts";
import { askInstances } from "./ask-instances.ts";

async function listening(t: TestContext, answer: http.RequestListener): Promise<number> {
  const server = http.createServer(answer).listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once("listening", resolve));
  return (server.address() as AddressInfo).port;
}

test("each instance is asked once, and one that says nothing, too much or something else is told apart", async (t) => {
  const asked: string[] = [];
  const ports: Record<string, number> = {
    good: await listening(t, (request, response) => {
      asked.push(request.url ?? "");
      response.end('{"version":"2.0"}');
    }),
    without: await listening(t, (_request, response) => response.writeHead(404).end()),
    elsewhere: await listening(t, (_request, response) => response.writeHead(302, { location: "http://example.com/" }).end()),
    page: await listening(t, (_request, response) => response.end("<html>")),
    flood: await listening(t, (_request, response) => {
      const write = () => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
      };
      response.on("drain", write);
      write();
    }),
  };
  const questions = [...Object.keys(ports), "gone"].map((name) => ({ instance: name as InstanceId, path: "/v" }));
  const answers = await askInstances(questions, (id) => ports[id] ?? null, t.signal);
  const whyOf = (name: string) => answers.find(({ instance }) => instance === name)?.why;
  assert.deepEqual(asked, ["/v"]);
  assert.equal(answers.find(({ instance }) => instance === "good")?.said?.version, "2.0");
  assert.equal(whyOf("without"), null);
  assert.equal(whyOf("elsewhere"), "it answered /v with 302");
  assert.match(whyOf("page") ?? "", /no JSON object/);
  assert.match(whyOf("flood") ?? "", /longer than 16384 bytes/);
  assert.equal(whyOf("gone"), "it does not run");
});

test("one that never answers keeps nobody waiting for longer than the bound", async (t) => {
  const port = await listening(t, () => {});
  const [answer] = await askInstances([{ instance: "a" as InstanceId, path: "/info" }], () => port, t.signal);
  assert.deepEqual(answer, { instance: "a", said: null, why: "it did not answer in time" });
});
