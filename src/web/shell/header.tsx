import { useEffect, useRef } from "preact/hooks";
import { isLoggedIn, logOut } from "../api/client.ts";
import { brokenStreams } from "../api/streams.ts";
import { Link } from "../parts/link.tsx";
import { State } from "../parts/state.tsx";
import { spaces } from "../state/installation.ts";
import { appPath, escalatorPath, go, path, space } from "../state/location.ts";
import { theme, themes } from "../state/theme.ts";

/** The pages about all spaces or about the chosen one. */
export function destinations(chosen: string | null): readonly { readonly name: string; readonly to: string }[] {
  const of = chosen === null ? "" : `?space=${encodeURIComponent(chosen)}`;
  return [
    { name: "Overview", to: `/${of}` },
    { name: "Machines", to: `/machines${of}` },
    { name: "Escalator", to: escalatorPath(chosen ?? spaces.value[0] ?? "default") },
    { name: "Logs", to: `/logs${of}` },
    { name: "Metrics", to: `/graphs${of}` },
    { name: "Versions", to: `/versions${of}` },
    { name: "Timeline", to: `/timeline${of}` },
    { name: "Manifest", to: `/manifest${of}` },
  ];
}

/** On every page: where one is, where one can go, and whether what is shown is alive. */
export function Header({ onSearch }: { readonly onSearch: () => void }) {
  const pages = useRef<HTMLElement>(null);
  // Where there is little room they are scrolled: the one that is shown is among those that are seen.
  useEffect(() => pages.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [path.value]);
  const nextTheme = () => {
    theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? "auto";
  };
  return (
    <header>
      <Link to={space.value === null ? "/" : `/?space=${space.value}`} class="brand" isCurrent={false}>
        Drover
      </Link>
      <SpaceSwitcher />
      <nav aria-label="Pages" ref={pages}>
        {destinations(space.value).map(({ name, to }) => (
          <Link key={name} to={to} isCurrent={isWithin(to)}>
            {name}
          </Link>
        ))}
      </nav>
      <span class="grow" />
      {brokenStreams.value > 0 && <State tone="warn" word="not live" title="The server does not answer; what is shown may be old." />}
      <button type="button" class="search" onClick={onSearch} title="Find apps, machines, pages and spaces">
        Find <kbd>/</kbd>
      </button>
      <details class="menu">
        <summary>Account</summary>
        <div>
          <Link to="/sessions">Sessions</Link>
          <button type="button" onClick={nextTheme} title="Follow the system, light, or dark">
            Colours: {theme.value}
          </button>
          <button type="button" onClick={() => void logOut().finally(() => (isLoggedIn.value = false))}>
            Log out
          </button>
        </div>
      </details>
    </header>
  );
}

function SpaceSwitcher() {
  const choose = (name: string) => {
    if (name === "") go(path.value.startsWith("/spaces/") ? "/" : path.value);
    else if (/^\/spaces\/[^/]+\/escalator/.test(path.value)) go(escalatorPath(name));
    else go(`${path.value.startsWith("/spaces/") ? "/" : path.value}?space=${encodeURIComponent(name)}`);
  };
  const names = space.value === null || spaces.value.includes(space.value) ? spaces.value : [space.value, ...spaces.value];
  return (
    <select aria-label="Space" value={space.value ?? ""} onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">all spaces</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function isWithin(to: string): boolean {
  const target = to.split("?")[0] ?? to;
  if (target === "/") return path.value === "/" || path.value.startsWith(appPath({ space: space.value ?? "", app: "" }));
  if (target === "/timeline" && path.value === "/events") return true;
  if (target === "/machines" && /^\/(add-machines$|spaces\/[^/]+\/pools\/)/.test(path.value)) return true;
  return path.value.startsWith(target) || (target.endsWith("/escalator") && /^\/spaces\/[^/]+\/escalator/.test(path.value));
}
