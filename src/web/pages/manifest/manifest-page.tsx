import { useEffect, useRef, useState } from "preact/hooks";
import type { Applied, ManifestProblem, Plan } from "#model/api.ts";
import { ApiError, apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { ErrorNotice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { parameter, space } from "../../state/location.ts";
import type { Editor } from "./editor.ts";
import { PlanLines } from "./plan-lines.tsx";
import type { Schema } from "./schema-keys.ts";
import { toYaml } from "./to-yaml.ts";

/** How long typing rests before the server is asked what it makes of it. */
const typingMs = 300;
const file = "manifest.yaml";

const beginning = "app: hello\nrun: npx --yes serve -l $PORT .\ninstances: 1\n";

/** Declares apps, spaces and ladders as text: what is wrong is marked, what would change is shown, and then it is applied. */
export function ManifestPage() {
  const element = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const [text, setText] = useState("");
  const [plan, setPlan] = useState<Plan | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [applied, setApplied] = useState<Applied | null>(null);
  const of = parameter("of");
  const [ofSpace, ofApp] = of.split("/");
  const into = ofApp === undefined ? (space.value ?? undefined) : ofSpace;
  const request = { documents: [{ file, text }], space: into };

  useEffect(() => {
    document.title = "Manifest – Drover";
    const gone = new AbortController();
    const open = async () => {
      // Loaded by the first who edits: it is larger than all the other pages.
      const get = <T extends object>(...path: readonly string[]) => call<T>("GET", apiPath(path), { signal: gone.signal });
      const [{ openEditor }, schema, first] = await Promise.all([
        import("./editor.ts"),
        get<Schema>("manifest-schema"),
        ofApp === undefined ? beginning : get("spaces", ofSpace ?? "", "apps", ofApp, "manifest").then(toYaml),
      ]);
      if (gone.signal.aborted || element.current === null) return;
      setText(first);
      editor.current = openEditor(element.current, { text: first, schema, onChange: setText });
    };
    open().catch((failure: unknown) => {
      if (gone.signal.aborted) return;
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    });
    return () => {
      gone.abort();
      editor.current?.close();
      editor.current = null;
    };
  }, [ofSpace, ofApp]);

  useEffect(() => {
    if (text.trim() === "") return;
    const gone = new AbortController();
    const look = async () => {
      try {
        setPlan(await call<Plan>("POST", apiPath(["plan"]), { body: request, signal: gone.signal }));
        setError(null);
        editor.current?.show([]);
      } catch (failure) {
        if (gone.signal.aborted) return;
        if (!(failure instanceof ApiError)) throw failure;
        setPlan(null);
        setError(failure);
        editor.current?.show(problemsOf(failure));
      }
    };
    const timer = setTimeout(() => void look(), typingMs);
    return () => {
      clearTimeout(timer);
      gone.abort();
    };
  }, [text, into, applied]);

  const pending = plan?.changes.filter(({ action }) => action !== "none").length ?? 0;
  const command = (verb: string) => `drover ${verb} ${file}${into === undefined ? "" : ` --space ${into}`}`;
  return (
    <>
      <h1 class="unseen">Manifest</h1>
      <Section title={of === "" ? "Manifest" : `Manifest of ${of}`} command={command("plan")}>
        <div ref={element} class="editor" />
      </Section>
      <Section
        title="Plan"
        note={plan === null ? "" : pending === 0 ? "nothing would change" : ""}
        tools={
          <Action
            label="Apply"
            explains="Makes it true: all of it in one step, or nothing."
            command={command("apply")}
            impossible={plan === null ? "The manifest is not whole yet." : pending === 0 ? "Nothing would change." : null}
            run={async () => setApplied(await call<Applied>("POST", apiPath(["apply"]), { body: request }))}
          >
            {plan !== null && <PlanLines plan={plan} />}
          </Action>
        }
      >
        {error !== null && problemsOf(error).length > 0 ? <Problems problems={problemsOf(error)} /> : <ErrorNotice error={error} />}
        {plan !== null && <PlanLines plan={plan} />}
        {applied !== null && (
          <p class="good" role="status">
            Applied at revision {applied.revision}.
          </p>
        )}
      </Section>
    </>
  );
}

function Problems({ problems }: { readonly problems: readonly ManifestProblem[] }) {
  return (
    <ul class="lines" aria-label="What is wrong">
      {problems.map(({ line, column, path, found, wanted, nearest }) => (
        <li key={`${line}:${column} ${path} ${wanted}`}>
          <span class="mono bad">
            {line}:{column}
          </span>
          <span>
            {path === "" ? "" : `${path}: `}found {found}, wanted {wanted}
            {nearest === null ? "" : `; did you mean “${nearest}”?`}
          </span>
        </li>
      ))}
    </ul>
  );
}

function problemsOf({ details }: ApiError): readonly ManifestProblem[] {
  if (typeof details !== "object" || details === null || !("problems" in details) || !Array.isArray(details.problems)) return [];
  return details.problems as readonly ManifestProblem[];
}
