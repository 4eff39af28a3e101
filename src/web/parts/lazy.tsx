import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ReloadNotice } from "./notice.tsx";

type Phase = "loading" | "loaded" | "failed";

/** A component that is loaded by the first who goes to it, and is drawn as soon as it is there. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let Loaded: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [phase, setPhase] = useState<Phase>(Loaded === null ? "loading" : "loaded");
    useEffect(() => {
      if (Loaded !== null) return;
      let isGone = false;
      const end = (phase: Phase) => {
        if (!isGone) setPhase(phase);
      };
      load().then(
        (component) => {
          Loaded = component;
          end("loaded");
        },
        () => end("failed"),
      );
      return () => {
        isGone = true;
      };
    }, []);
    if (Loaded !== null) return <Loaded {...props} />;
    // Files are named by their content: those of a page that was opened before an upgrade are gone after it.
    if (phase === "failed") return <ReloadNotice text="this page could not be loaded" hint="Drover was upgraded, or does not answer." />;
    return null;
  };
}
