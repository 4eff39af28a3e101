import { Link } from "./link.tsx";

interface TabsProps {
  readonly label: string;
  readonly tabs: readonly { readonly name: string; readonly to: string; readonly isCurrent: boolean }[];
}

/** Pages about one thing. They are links: each has an address. */
export function Tabs({ label, tabs }: TabsProps) {
  return (
    <nav aria-label={label} class="tabs">
      {tabs.map(({ name, to, isCurrent }) => (
        <Link key={name} to={to} isCurrent={isCurrent}>
          {name}
        </Link>
      ))}
    </nav>
  );
}
