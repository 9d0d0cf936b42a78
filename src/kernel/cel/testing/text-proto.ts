/** Reads protobuf's text format into plain objects: names in camel case, what repeats as lists, numbers as text. */
export function readTextProto(text: string): TextMessage {
  const tokens = [...text.matchAll(TOKEN)].map(([token]) => token).filter((token) => !/^(\s|#)/.test(token));
  let at = 0;
  const message = (end: string | undefined): TextMessage => {
    const read: Record<string, TextValue[]> = {};
    while (at < tokens.length && tokens[at] !== end) {
      const name = camelCase(tokens[at] ?? '');
      at += 1;
      if (tokens[at] === ':') at += 1;
      const values = (read[name] ??= []);
      if (tokens[at] === '[') {
        for (at += 1; tokens[at] !== ']'; at += tokens[at] === ',' ? 1 : 0) values.push(value());
        at += 1;
      } else values.push(value());
      if (tokens[at] === ',' || tokens[at] === ';') at += 1;
    }
    at += 1;
    return Object.fromEntries(
      Object.entries(read).map(([name, values]) => [name, REPEATED.has(name) ? values : (values.at(-1) as TextValue)]),
    );
  };
  const value = (): TextValue => {
    const token = tokens[at] ?? '';
    at += 1;
    if (token === '{') return message('}');
    if (!/^["']/.test(token)) return token;
    let bytes = bytesOf(token);
    // Strings beside each other are one.
    for (; /^["']/.test(tokens[at] ?? ''); at += 1) bytes = Buffer.concat([bytes, bytesOf(tokens[at] ?? '')]);
    return bytes;
  };
  return message(undefined);
}

export type TextValue = string | Buffer | TextMessage | readonly TextValue[];
export interface TextMessage {
  readonly [name: string]: TextValue;
}

const TOKEN = /\s+|#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[\w./]+\]|[{}[\]:,;]|[^\s{}[\]:,;#"']+/g;
const REPEATED = new Set([
  'section',
  'test',
  'values',
  'entries',
  'typeEnv',
  'bindings',
  'params',
  'overloads',
  'parameterTypes',
]);
const ESCAPE = /\\(?:([abfnrtv\\?"'])|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3}))/g;
const NAMED: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
}

function bytesOf(quoted: string): Buffer {
  const written = quoted.slice(1, -1);
  const parts: Buffer[] = [];
  let done = 0;
  for (const match of written.matchAll(ESCAPE)) {
    const [all, named, hex, short, long, octal] = match;
    parts.push(Buffer.from(written.slice(done, match.index)));
    done = match.index + all.length;
    const code = short ?? long;
    if (code !== undefined) parts.push(Buffer.from(String.fromCodePoint(parseInt(code, 16))));
    else if (named !== undefined) parts.push(Buffer.of(NAMED[named] ?? named.charCodeAt(0)));
    else parts.push(Buffer.of(hex === undefined ? parseInt(octal ?? '0', 8) : parseInt(hex, 16)));
  }
  parts.push(Buffer.from(written.slice(done)));
  return Buffer.concat(parts);
}
