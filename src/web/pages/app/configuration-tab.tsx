import { apiPath, call } from "../../api/client.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { useLoad } from "../../state/use.ts";
import type { TabProps } from "./app-page.tsx";

interface Environment {
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/** What the app is given, and what was declared. Values of secrets never leave the server. */
export function ConfigurationTab({ status }: TabProps) {
  const { space, name, revision } = status;
  const path = ["spaces", space, "apps", name];
  const { value, error } = useLoad(`${space}/${name} ${revision}`, async (signal) => {
    const [environment, manifest] = await Promise.all([
      call<Environment>("GET", apiPath([...path, "env"]), { signal }),
      call<Readonly<Record<string, unknown>>>("GET", apiPath([...path, "manifest"]), { signal }),
    ]);
    return { environment, manifest };
  });
  return (
    <>
      <ErrorNotice error={error} />
      {value !== null && (
        <>
          <Section title="Environment" command={`drover env ls ${space}/${name}`}>
            <dl class="pairs">
              {Object.entries(value.environment.env).map(([variable, text]) => (
                <div key={variable}>
                  <dt class="mono">{variable}</dt>
                  <dd class="mono">{visibleText(text)}</dd>
                </div>
              ))}
              {value.environment.secrets.map((variable) => (
                <div key={variable}>
                  <dt class="mono">{variable}</dt>
                  <dd class="muted">secret, never shown</dd>
                </div>
              ))}
            </dl>
            {Object.keys(value.environment.env).length + value.environment.secrets.length === 0 && (
              <Nothing>It is given none of its own.</Nothing>
            )}
          </Section>
          <Section
            title="Manifest in force"
            tools={<Link to={`/manifest?of=${encodeURIComponent(`${space}/${name}`)}`}>Edit</Link>}
            command={`drover plan --space ${space}`}
          >
            <pre class="output">{JSON.stringify(value.manifest, null, 2)}</pre>
          </Section>
        </>
      )}
    </>
  );
}
