import { code, table } from './markdown.ts';

const MIB = 1024 * 1024;

interface Limit {
  readonly name: string;
  readonly value: string;
  readonly comment: string;
}

const OBJECT =
  /^(?:export )?const (\w*(?:LIMITS|TIMING|_MAX|_DAYS|_MS))\b[^=]*= \{\n?([\s\S]*?)\}(?: as const)?[^\n]*;$/gm;
const CONSTANT =
  /(?:^\/\*\* ([^\n]*?) \*\/\n|^\/\*\*\n((?: \*[^\n]*\n)+?) \*\/\n)?^(?:export )?const ([A-Z]+(?:_[A-Z]+)*_(?:MAX|MIN|DAYS|HOURS)) = ([\d_*+. -]+);$/gm;
const MEMBER =
  /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?(?:\/\/[^\n]*\n\s*)*\b(\w+): (\{[^{}\n]*\}|(?:[A-Z]+(?:_[A-Z]+)*\.\w+|[\d_*+. -])+)(?:,|\s*$)/g;

/** The limits that a source file names: constants, and the members of objects of limits. */
function limitsIn(text: string): readonly Limit[] {
  const members = [...text.matchAll(OBJECT)].flatMap(([, object = '', body = '']) =>
    [...body.matchAll(MEMBER)].map(([, comment = '', name = '', value = '']) => ({
      name: `${object}.${name}`,
      value: valueText(value),
      comment: sentences(comment),
    })),
  );
  const constants = [...text.matchAll(CONSTANT)].map(([, line, lines = '', name = '', value = '']) => ({
    name,
    value: valueText(value),
    comment: sentences(line ?? lines),
  }));
  return [...members, ...constants];
}

/** As the source has it, and the product where it has one. */
function valueText(source: string): string {
  const factors = source.split('*').map((part) => Number(part.replaceAll('_', '')));
  const product = factors.reduce((sum, factor) => sum * factor, 1);
  if (factors.some(Number.isNaN)) return source.trim();
  const digits = product.toLocaleString('en-US');
  return product > 0 && product % MIB === 0 ? `${digits} (${product / MIB} MiB)` : digits;
}

function sentences(comment: string): string {
  return comment
    .replaceAll(/^\s*\*/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** Every limit that the program names, by the file that holds it. */
export function limitsPage(sources: ReadonlyMap<string, string>): string {
  const rooms = Map.groupBy(
    [...sources].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([path, text]) => ({ path, limits: limitsIn(text) })),
    ({ path }) => path.split('/').slice(1, 3).join('/'),
  );
  const sections = [...rooms].flatMap(([room, files]) => {
    const rows = files.flatMap(({ path, limits }) =>
      limits.map(({ name, value, comment }) => [code(name), value, comment, code(path)]),
    );
    return rows.length === 0 ? [] : [`## ${room}\n\n${table(['limit', 'value', 'meaning', 'file'], rows)}`];
  });
  return `# Limits

Every limit that the program names, with its file. They are constants: no option changes them, and what can be configured is in
[configuration](configuration.md). What a caller sees above a limit is in [operating](../operating.md#limits) and
[refusals](refusals.md). The end of a name gives the unit: \`Ms\` milliseconds, \`Bytes\`, \`Chars\` characters; \`Max\` is the most, \`Min\` the least.

${sections.join('\n\n')}
`;
}
