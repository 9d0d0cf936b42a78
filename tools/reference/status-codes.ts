/** Types that name the phases, outcomes and states of a status, by file. */
const STATES: Readonly<Record<string, RegExp>> = {
  'src/kernel/releases/kinds/release-status.ts':
    /export type Phase =[^;]*;|readonly type: '[^;]*;|PLACE_STATES = [^;]*;/g,
  'src/kernel/releases/settle.ts': /export type HoldCause =[^;]*;/g,
  'src/kernel/statistics/verdict.ts': /export type Outcome =[^;]*;/g,
  'src/kernel/releases/kinds/freeze.ts': /Enum\(\['Open'[^\]]*/g,
  'src/kernel/kinds/builtin/core.ts': /Enum\(\['Active'[^\]]*/g,
};
/** A file that writes conditions or Events, and not their schema. */
const WRITES_CODES = /\blastTransitionTime\b[^:]|type: 'Warning'/;
const NO_CODES = new Set(['True', 'False', 'Normal', 'Warning', 'Event']);

/** The codes that a file puts into conditions, phases, outcomes and Kubernetes Events. */
export function statusCodesIn(path: string, text: string): readonly string[] {
  const states = text.match(STATES[path] ?? /$^/g) ?? [];
  const lines =
    WRITES_CODES.test(text) && !path.includes('/kinds/')
      ? text
          .split('\n')
          .filter((line) => /reason|\btype: |\['|^\s*'[A-Z]\w+',$/.test(line) && !line.includes('FieldValue'))
      : [];
  return [
    ...states.flatMap((state) => quotedIn(state, /'(\w+)'/g)),
    ...lines.flatMap((line) => quotedIn(line, /'([A-Z][a-z]\w+)'/g)),
  ].filter((code) => !NO_CODES.has(code));
}

function quotedIn(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map(([, code = '']) => code);
}
