import { Tabs } from "../../parts/tabs.tsx";
import { path, space } from "../../state/location.ts";

/** What was said, and where it is sent. */
export function LogTabs() {
  const of = space.value === null ? "" : `?space=${encodeURIComponent(space.value)}`;
  const tab = (name: string, to: string) => ({ name, to: `${to}${of}`, isCurrent: path.value === to });
  return <Tabs label="Logs" tabs={[tab("Search", "/logs"), tab("Destinations", "/logs/destinations")]} />;
}
