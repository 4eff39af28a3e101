import type { Plan, PlannedChange } from "#model/api.ts";
import { pathWords, valueWords } from "#model/plan-words.ts";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";

const marks: Readonly<Record<PlannedChange["action"], { readonly word: string; readonly tone: "good" | "warn" | "bad" | "off" }>> = {
  create: { word: "create", tone: "good" },
  release: { word: "new release", tone: "warn" },
  update: { word: "update", tone: "warn" },
  destroy: { word: "destroy", tone: "bad" },
  none: { word: "unchanged", tone: "off" },
};

/** What would change, in the words of `drover plan`. */
export function PlanLines({ plan: { changes } }: { readonly plan: Plan }) {
  return (
    <ul class="lines" aria-label="What would change">
      {changes.map(({ kind, space, name, action, changes: each, warnings, source }) => (
        <li key={`${kind} ${space}/${name}`}>
          <State tone={marks[action].tone} word={marks[action].word} />
          <strong>{kind === "app" ? `${space}/${name}` : `${kind} ${name}`}</strong>
          {(action === "release" || action === "update") && (
            <ul class="differences">
              {each.map(({ path, from, to }) => (
                <li key={path}>
                  <span class="mono">{pathWords(path)}</span>
                  <del class="bad mono">− {visibleText(valueWords(path, from))}</del>
                  <ins class="good mono">+ {visibleText(valueWords(path, to))}</ins>
                </li>
              ))}
            </ul>
          )}
          {source !== null && action === "create" && (
            <span class="warn">its source, “{visibleText(source)}”, is on your machine: push it with the command, drover push</span>
          )}
          {warnings.map((warning) => (
            <span key={warning} class="warn">
              {visibleText(warning)}
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}
