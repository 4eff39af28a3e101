interface NameFieldProps {
  readonly value: string;
  readonly example?: string;
  readonly onChange: (name: string) => void;
}

/** A name as DNS labels are: of a machine, a saved search. */
export function NameField({ value, example = "", onChange }: NameFieldProps) {
  return (
    <label>
      name
      <input
        type="text"
        required
        spellcheck={false}
        pattern="[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?"
        title="lower-case letters, digits and dashes"
        placeholder={example}
        value={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}
