import { parameter, setParameters } from "../state/location.ts";

interface WordFilterProps {
  readonly label: string;
}

/** What is typed is the parameter `q` of the page's address. */
export function WordFilter({ label }: WordFilterProps) {
  return (
    <input
      type="search"
      aria-label={label}
      placeholder="filter"
      value={parameter("q")}
      onInput={(event) => setParameters({ q: event.currentTarget.value })}
    />
  );
}

interface ChoiceFilterProps {
  readonly label: string;
  /** Of the page's address. */
  readonly name: string;
  readonly value: string;
  /** Value and text of each. */
  readonly choices: readonly (readonly [value: string, text: string])[];
  /** Another parameter, which means nothing any more when this one changes. */
  readonly resets?: string;
}

/** What is chosen is a parameter of the page's address. */
export function ChoiceFilter({ label, name, value, choices, resets }: ChoiceFilterProps) {
  const choose = (choice: string) => setParameters({ [name]: choice, ...(resets === undefined ? {} : { [resets]: "" }) });
  return (
    <select aria-label={label} value={value} onChange={(event) => choose(event.currentTarget.value)}>
      {choices.map(([choice, text]) => (
        <option key={choice} value={choice}>
          {text}
        </option>
      ))}
    </select>
  );
}
