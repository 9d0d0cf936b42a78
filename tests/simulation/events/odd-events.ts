const schema = {
  properties: {
    text: { type: 'string' },
    whole: { type: 'integer' },
    number: { type: 'number' },
    money: { type: 'decimal', scale: 2 },
    yes: { type: 'boolean' },
    when: { type: 'timestamp' },
    list: { type: 'array', items: { type: 'string' } },
    more: { type: 'object' },
  },
  additional: true,
};

const common = { owner: 'tests', purpose: 'tests', retention: 'P30D', lateness: 'P3D', schema };

/** Two types, so that windows hold several files. */
export const ODD_TYPES = { odd: common, 'odd.other': { ...common, subject: 'required' } } as const;

/** Texts that some layer on the way has a meaning of its own for. */
const TEXTS = [
  '',
  ' ',
  'null',
  'NULL',
  '\\N',
  '\\.',
  "it's",
  '"quoted"',
  'a,b',
  '\u0001',
  '\u0002',
  '\u0001\u0002\u0001',
  'a\nb\r\nc',
  '\t',
  '\u2028\u2029',
  '\u202E reversed',
  '👩‍👩‍👧‍👦',
  '\ufeffbom',
  '%00',
  '\\u0000',
  "'; drop table x; --",
  '$1',
  '{{x}}',
  '__proto__',
  'ß'.repeat(200),
  'é',
  'e\u0301',
];
const NUMBERS = [0, -0, 1, -1, 0.1, 1e308, -1e308, 5e-324, 2 ** 53 - 1, -(2 ** 53), 1.5];
const TIMES = [
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+01:00',
  '1969-12-31T23:59:59Z',
  '2016-12-31T23:59:60Z',
  '9999-12-31T23:59:59.999Z',
  '9999-12-31T23:59:59-23:59',
  '2026-02-29T00:00:00Z',
  '2026-05-01t12:00:00z',
  '2026-05-01T12:00:00.123456789+14:00',
  'now',
  '',
  '2026-05-01',
];
const ODDITIES: readonly unknown[] = [
  null,
  true,
  [],
  {},
  [[]],
  '\ud800',
  'a\0b',
  { a: { b: [null] } },
  ...TEXTS,
  ...NUMBERS,
];
/** Numbers that JSON.stringify cannot write and JSON.parse reads. */
const RAW = ['1e400', '-1e999', '9007199254740993', '12345678901234567890.12', '1E5', '-0.0'];

const RAW_HERE = '@raw';

interface Chance {
  readonly between: (least: number, most: number) => number;
}

/** A batch as text: whatever somebody may send, most of it well formed. Each event has an id of its own. */
export function oddBatch(chance: Chance, prefix: string, size: number): string {
  const pick = <T>(values: readonly T[]): T => values[chance.between(0, values.length - 1)] as T;
  const rarely = (): boolean => chance.between(0, 24) === 0;
  const soon = () => new Date(Date.now() - chance.between(0, 3_600_000)).toISOString();
  const events = Array.from({ length: size }, (_, index) => {
    const properties: Record<string, unknown> = {
      text: pick(TEXTS),
      whole: rarely() ? pick(ODDITIES) : rarely() ? RAW_HERE : chance.between(-5, 5),
      number: pick(NUMBERS),
      money: pick(['4.99', '-12345678901234567890.12', 0.1, '0', rarely() ? '1.999' : '1.99']),
      yes: rarely() ? pick(ODDITIES) : true,
      when: rarely() ? pick(TIMES) : soon(),
      list: rarely() ? pick(ODDITIES) : [pick(TEXTS), pick(TEXTS)],
      more: rarely() ? pick(ODDITIES) : { [pick(TEXTS)]: pick(ODDITIES.slice(0, 5)) },
      [pick(TEXTS)]: pick(TEXTS),
    };
    return {
      type: rarely() ? pick(['odd', '__proto__', 'nothing', 7]) : pick(['odd', 'odd.other']),
      id: `${prefix}-${index} ${pick(TEXTS)}`,
      at: rarely() ? pick(TIMES) : soon(),
      subject: rarely() ? pick(ODDITIES) : `listener ${chance.between(0, 20)}`,
      properties,
    };
  });
  const sentAt = pick([undefined, new Date().toISOString(), new Date(Date.now() - 600_000).toISOString()]);
  const text = JSON.stringify({ sentAt, producer: pick(TEXTS).slice(0, 100), events });
  return text.replaceAll(JSON.stringify(RAW_HERE), () => pick(RAW));
}
