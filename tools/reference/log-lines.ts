/** A line that a source file writes to the log. */
export interface LogLine {
  readonly level: 'info' | 'warn' | 'error' | 'fatal';
  /** As it is printed, with `…` for values. */
  readonly line: string;
  /** Names of its fields, as far as the call spells them out. */
  readonly fields: readonly string[];
}

/** Calls that write a line: of the log itself, of `logSeldom`, of `Outage`, and of functions that pass a line on to them. */
const CALLS =
  /\b(?:#?log\??\.(?<level>info|warn|error|fatal)|logError|(?<outage>new Outage)|(?<warning>warn)|write)\(/g;
/** A line begins with the noun of its subsystem. Other texts that a `write` gets are no lines. */
const LINE = /^[a-z][a-z -]*: [^\\]+$/;

/** Every line of `text` that goes to the log. A call whose line is a variable has none here. */
export function logLinesIn(text: string): readonly LogLine[] {
  return [...text.matchAll(CALLS)].flatMap((call): readonly LogLine[] => {
    const { level, outage, warning } = call.groups ?? {};
    const given = argumentsAt(text, call.index + call[0].length);
    const line = given.map(textOf).findLast((one) => one !== undefined);
    if (line === undefined || !LINE.test(line)) return [];
    const fields = given.flatMap(fieldsOf);
    if (outage !== undefined) {
      return [
        { level: 'warn', line: `${line}; retrying`, fields: ['error', 'failures', 'forSeconds'] },
        { level: 'info', line: `${line}: recovered`, fields: ['failures', 'forSeconds'] },
      ];
    }
    if (level === undefined)
      return [{ level: warning === undefined ? 'error' : 'warn', line, fields: [...fields, 'err'] }];
    return [{ level: level as LogLine['level'], line, fields }];
  });
}

/** The arguments of a call that begin at `from`, as source text. */
function argumentsAt(text: string, from: number): readonly string[] {
  const found: string[] = [];
  let depth = 0;
  let begin = from;
  for (let at = from; at < text.length; at += 1) {
    const sign = text[at] ?? '';
    if (`'"\``.includes(sign)) at = endOfText(text, at);
    else if ('([{'.includes(sign)) depth += 1;
    else if (sign === ',' && depth === 0) {
      found.push(text.slice(begin, at).trim());
      begin = at + 1;
    } else if (')]}'.includes(sign)) {
      if (depth === 0) return [...found, text.slice(begin, at).trim()];
      depth -= 1;
    }
  }
  return found;
}

/** The closing quote of the text that begins at `from`. */
function endOfText(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== text[from]) at += text[at] === '\\' ? 2 : 1;
  return at;
}

function textOf(argument: string): string | undefined {
  const [, plain, template] = /^'([^']*)'$|^`([^`]*)`$/.exec(argument) ?? [];
  return plain ?? template?.replaceAll(/\$\{[^}]*\}/g, '…');
}

/** The names in an object that is written out. */
function fieldsOf(argument: string): readonly string[] {
  if (!argument.startsWith('{')) return [];
  return argumentsAt(`${argument.slice(1, -1)})`, 0).flatMap((member) => /^(\w+)\b/.exec(member)?.[1] ?? []);
}
