// One small app from 2 to 50 instances, until all are ready and have served through the edge.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { request, TestDrover } from "../test/harness/drover.ts";
import { median, publicFolder, report, skip, timed } from "./lib.ts";

const busybox = programOnPath("busybox");
if (busybox === null) {
  skip("2 to 50 instances", "busybox is not on the path");
  process.exit(0);
}
const folder = await publicFolder();
await writeFile(join(folder, "index.html"), "hello\n");
const figures: number[] = [];
for (let round = 0; round < 3; round++) {
  await using drover = await TestDrover.start();
  await drover.apply(`app: small\nrun: exec ${busybox} httpd -f -p 127.0.0.1:$PORT -h ${folder}\ninstances: 2\n`);
  figures.push(
    await timed(async () => {
      await drover.run("scale", "small", "web=50", "--detach");
      for (;;) {
        const { processes } = JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/small")).body);
        if (processes[0].ready === 50) break;
        await delay(10);
      }
      const answer = await request({ port: drover.edgePort, method: "GET", path: "/", headers: { host: "small.default.localhost" } });
      if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
    }),
  );
}
await rm(folder, { recursive: true });
report("one small app from 2 to 50 instances, all ready", median(figures), "ms", { goal: "≤ 1000 ms", ok: median(figures) <= 1_000 });
