import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isLoggedIn } from "./api/client.ts";
import { LoginPage } from "./pages/login.tsx";
import { OverviewPage } from "./pages/overview/overview-page.tsx";
import { announcement } from "./parts/cli.tsx";
import { lazy } from "./parts/lazy.tsx";
import { Header } from "./shell/header.tsx";
import { Palette } from "./shell/palette.tsx";
import { followEvents } from "./state/events.ts";
import { useSpaces } from "./state/installation.ts";
import { path } from "./state/location.ts";
import { useWhile } from "./state/use.ts";

export interface PageProps {
  readonly params: Readonly<Record<string, string>>;
}

/** Every page by its address; the first that matches is shown. All but the first are loaded by whoever goes there. */
const pages: readonly (readonly [pattern: RegExp, page: ComponentType<PageProps>])[] = [
  [/^\/$/, OverviewPage],
  [
    /^\/spaces\/(?<space>[^/]+)\/apps\/(?<app>[^/]+)(\/(?<tab>[a-z]+))?$/,
    lazy(async () => (await import("./pages/app/app-page.tsx")).AppPage),
  ],
  [
    /^\/spaces\/(?<space>[^/]+)\/escalator(\/(?<tab>[a-z]+))?(\/(?<id>[^/]+))?$/,
    lazy(async () => (await import("./pages/escalator/escalator-page.tsx")).EscalatorPage),
  ],
  [/^\/machines$/, lazy(async () => (await import("./pages/machines/machines-page.tsx")).MachinesPage)],
  [/^\/add-machines$/, lazy(async () => (await import("./pages/machines/add-machines-page.tsx")).AddMachinesPage)],
  [/^\/machines\/(?<machine>[^/]+)$/, lazy(async () => (await import("./pages/machines/machine-page.tsx")).MachinePage)],
  [/^\/spaces\/(?<space>[^/]+)\/pools\/(?<pool>[^/]+)$/, lazy(async () => (await import("./pages/machines/pool-page.tsx")).PoolPage)],
  [/^\/logs$/, lazy(async () => (await import("./pages/logs/logs-page.tsx")).LogsPage)],
  [/^\/logs\/destinations$/, lazy(async () => (await import("./pages/logs/destinations-page.tsx")).DestinationsPage)],
  [/^\/graphs$/, lazy(async () => (await import("./pages/graphs/graphs-page.tsx")).GraphsPage)],
  [/^\/versions$/, lazy(async () => (await import("./pages/versions/versions-page.tsx")).VersionsPage)],
  [/^\/timeline$/, lazy(async () => (await import("./pages/timeline/timeline-page.tsx")).TimelinePage)],
  [/^\/events$/, lazy(async () => (await import("./pages/events.tsx")).EventsPage)],
  [/^\/conditions$/, lazy(async () => (await import("./pages/conditions.tsx")).ConditionsPage)],
  [/^\/manifest$/, lazy(async () => (await import("./pages/manifest/manifest-page.tsx")).ManifestPage)],
  [/^\/sessions$/, lazy(async () => (await import("./pages/sessions.tsx")).SessionsPage)],
];

/** The page, or the way in. */
export function App() {
  return isLoggedIn.value === false ? <LoginPage /> : <Site />;
}

function Site() {
  const [isSearching, setSearching] = useState(false);
  useWhile("events", followEvents);
  useSpaces();
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === "k" && (event.metaKey || event.ctrlKey)) {
        event.preventDefault();
        setSearching(true);
      }
      const isTyping =
        event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable], dialog") !== null;
      if (event.key === "/" && !isTyping) {
        event.preventDefault();
        setSearching(true);
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <>
      <a class="skip" href="#page">
        Skip to the page
      </a>
      <Header onSearch={() => setSearching(true)} />
      <main id="page" tabIndex={-1}>
        <CurrentPage />
      </main>
      {isSearching && <Palette onClose={() => setSearching(false)} />}
      <div class="unseen" role="status">
        {announcement.value}
      </div>
    </>
  );
}

function CurrentPage() {
  for (const [pattern, Page] of pages) {
    const match = pattern.exec(path.value);
    if (match !== null) return <Page params={decoded(match.groups ?? {})} />;
  }
  return (
    <>
      <h1>There is no such page</h1>
      <p>
        Nothing is shown at <code>{path.value}</code>.
      </p>
    </>
  );
}

function decoded(groups: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(groups).flatMap(([name, text]) => (text === undefined ? [] : [[name, decodeURIComponent(text)]])),
  );
}
