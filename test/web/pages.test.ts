import { after, before } from "node:test";
import { withoutChromium } from "./browser.ts";
import { testApps } from "./pages/apps.ts";
import { testEscalator } from "./pages/escalator.ts";
import { testFigures } from "./pages/figures.ts";
import { testInside } from "./pages/inside.ts";
import { testLogs } from "./pages/logs.ts";
import { testMachines } from "./pages/machines.ts";
import { testManifest } from "./pages/manifest.ts";
import { testOverview } from "./pages/overview.ts";
import { testPast } from "./pages/past.ts";
import { testSessions } from "./pages/sessions.ts";
import { Site } from "./site.ts";

const site = new Site();
before(() => (withoutChromium === false ? site.start() : undefined));
after(() => site[Symbol.asyncDispose]());

// In this order: some look at what those before them have done.
testOverview(site);
testApps(site);
testLogs(site);
testInside(site);
testEscalator(site);
testManifest(site);
testFigures(site);
testPast(site);
testMachines(site);
testSessions(site);
