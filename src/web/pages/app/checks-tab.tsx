import type { CheckView, Explanation } from "#model/api-escalations.ts";
import { apiPath, call } from "../../api/client.ts";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { useLoad } from "../../state/use.ts";
import { CheckTable } from "../escalator/check-table.tsx";
import type { TabProps } from "./app-page.tsx";

/** What proves that the app works, and what would happen if it stopped. */
export function ChecksTab({ status }: TabProps) {
  const { space, name } = status;
  const { value, error } = useLoad(
    `${space}/${name}`,
    async (signal) => {
      const { checks } = await call<{ checks: CheckView[] }>("GET", apiPath(["spaces", space, "checks"]), { signal });
      const own = checks.filter(({ target }) => target === `app/${name}`);
      if (own.length === 0) return { own, explanations: [] };
      const { explanations } = await call<{ explanations: Explanation[] }>("GET", apiPath(["spaces", space, "explain"], { app: name }), {
        signal,
      });
      return { own, explanations };
    },
    { everyMs: 5_000, wakes: (event) => event.space === space && /^(check|escalation|ladder)\./.test(event.kind) },
  );
  return (
    <>
      <ErrorNotice error={error} />
      <Section title="Checks" note={String(value?.own.length ?? "")} command={`drover check ls --space ${space}`}>
        {value?.own.length === 0 && (
          <Nothing>
            Nothing of it is checked. Declare <code>checks</code> in its manifest.
          </Nothing>
        )}
        {value !== null && value.own.length > 0 && <CheckTable space={space} checks={value.own} />}
      </Section>
      {value?.explanations.map(({ check, lines }) => (
        <Section key={check} title={`If ${check} failed now`} command={`drover explain ${name} --check ${check} --space ${space}`}>
          <ol class="steps">
            {lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ol>
        </Section>
      ))}
    </>
  );
}
