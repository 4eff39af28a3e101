import { useState } from "preact/hooks";
import type { CheckView } from "#model/api-escalations.ts";
import { ApiError, apiPath, call } from "../../api/client.ts";
import { Age } from "../../parts/age.tsx";
import { announcement } from "../../parts/cli.tsx";
import { exactSpan } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { VerdictState } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { escalatorPath } from "../../state/location.ts";

/** Checks, those that fail first. */
export function CheckTable({ space, checks }: { readonly space: string; readonly checks: readonly CheckView[] }) {
  const order = { failing: 0, unknown: 1, ok: 2 } as const;
  const sorted = checks.toSorted((a, b) => order[a.verdict] - order[b.verdict] || (a.id < b.id ? -1 : 1));
  const columns: readonly Column<CheckView>[] = [
    { name: "check", cell: ({ id }) => <Link to={`${escalatorPath(space, "checks")}?check=${encodeURIComponent(id)}`}>{id}</Link> },
    { name: "verdict", cell: ({ verdict, isSilent }) => <VerdictState verdict={verdict} isSilent={isSilent} /> },
    { name: "since", cell: ({ sinceMs, verdict }) => (verdict === "unknown" ? "–" : <Age atMs={sinceMs} />) },
    { name: "kind", isMinor: true, cell: ({ kind, everyMs }) => `${kind}, every ${exactSpan(everyMs)}` },
    { name: "asks for", isMinor: true, cell: ({ level }) => level ?? <span class="muted">nothing</span> },
    {
      name: "found",
      isWide: true,
      isMinor: true,
      cell: ({ impossible, message, isFlapping }) => (
        <span class="muted">
          {isFlapping && <span class="warn">flaps; </span>}
          {visibleText(impossible ?? message)}
        </span>
      ),
    },
    { name: "", cell: (check) => <RunNow space={space} check={check} /> },
  ];
  return <Rows label="Checks" rows={sorted} columns={columns} keyOf={({ id }) => id} />;
}

/** Makes a check once; what it finds is shown and changes nothing. */
function RunNow({ space, check }: { readonly space: string; readonly check: CheckView }) {
  const [found, setFound] = useState("");
  const run = async () => {
    setFound("…");
    try {
      const path = apiPath(["spaces", space, "checks", check.id, "run"]);
      const { findings } = await call<{ findings: Record<string, { isOk: boolean; message: string }> }>("POST", path);
      const words = Object.values(findings).map(({ isOk, message }) => `${isOk ? "ok" : "fails"}: ${visibleText(message)}`);
      setFound(words.join("; "));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFound(error.message);
    }
  };
  announcement.value = found === "" || found === "…" ? announcement.peek() : `${check.id} ${found}`;
  return (
    <>
      <button type="button" title={`drover check run ${check.id} --space ${space}`} onClick={() => void run()}>
        Check now
      </button>{" "}
      <span class="muted">{found}</span>
    </>
  );
}
