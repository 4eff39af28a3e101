import { Tabs } from "../../parts/tabs.tsx";
import { path, space } from "../../state/location.ts";

/** Two views of what happened. */
export function EventTabs() {
  const of = space.value === null ? "" : `?space=${encodeURIComponent(space.value)}`;
  const tab = (name: string, to: string) => ({ name, to: `${to}${of}`, isCurrent: path.value === to });
  return <Tabs label="What happened" tabs={[tab("Timeline", "/timeline"), tab("Events", "/events")]} />;
}
