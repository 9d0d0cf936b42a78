import { FORMATS as STRING_FORMATS } from '#kernel/kinds/schema/formats.ts';
import { labelValueProblems, nameProblems, qualifiedNameProblems } from '#kernel/kinds/schema/names.ts';
import { method, noOverload, overload, TEXTS_COST, type CelFunction, type Library } from '../functions.ts';
import { listOf, opaque, optionalOf, STRING } from '../types.ts';
import { Opaque, Optional, type Value } from '../values.ts';

const FORMAT = opaque('kubernetes.NamedFormat');

/** The problems of a text; none where it is of the format. */
type FindProblems = (text: string) => readonly string[];

const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const LABEL_1035_PATTERN = new RegExp(`^${LABEL_1035}$`);
const WRONG_LABEL_1035 = `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '${LABEL_1035}')`;
const LABEL_CHARS_MAX = 63;

const label1035: FindProblems = (text) => {
  if (text.length > LABEL_CHARS_MAX) return [`must be no more than ${LABEL_CHARS_MAX} characters`];
  return LABEL_1035_PATTERN.test(text) ? [] : [WRONG_LABEL_1035];
};
const label: FindProblems = (text) => nameProblems('label', text);
const subdomain: FindProblems = (text) => nameProblems('subdomain', text);

/** A prefix of a name may end in a dash: something follows. */
const prefixOf =
  (problemsOf: FindProblems): FindProblems =>
  (text) =>
    problemsOf(text.endsWith('-') ? `${text.slice(0, -1)}a` : text);

const asString =
  (format: string, wrong: string): FindProblems =>
  (text) =>
    STRING_FORMATS.get(format)?.(text) === true ? [] : [wrong];

/** As Kubernetes 1.33 has them. */
const BY_NAME: Readonly<Record<string, FindProblems>> = {
  dns1123Label: label,
  dns1123Subdomain: subdomain,
  dns1035Label: label1035,
  qualifiedName: qualifiedNameProblems,
  dns1123LabelPrefix: prefixOf(label),
  dns1123SubdomainPrefix: prefixOf(subdomain),
  dns1035LabelPrefix: prefixOf(label1035),
  labelValue: labelValueProblems,
  uri: asString('uri', 'it is no URI'),
  uuid: asString('uuid', 'it is no UUID'),
  byte: asString('byte', 'it is no base64'),
  date: asString('date', 'it is no date like 2026-12-01'),
  datetime: asString('date-time', 'it is no time like 2026-12-01T12:00:00Z'),
};

class Format extends Opaque {
  readonly typeName = 'kubernetes.NamedFormat';
  readonly key: string;
  readonly problemsOf: FindProblems;

  constructor(name: string, problemsOf: FindProblems) {
    super();
    this.key = name;
    this.problemsOf = problemsOf;
  }
}

const KNOWN = new Map(Object.entries(BY_NAME).map(([name, find]) => [name, new Format(name, find)]));

/** Formats of texts: `format.dns1123Label().validate(name)` gives the problems, or nothing. */
export const FORMATS: Library = {
  functions: [
    ...Array.from(KNOWN, ([name, format]): CelFunction => {
      return { name: `format.${name}`, overloads: [overload([], FORMAT)], call: () => format };
    }),
    {
      name: 'format.named',
      overloads: [overload([STRING], optionalOf(FORMAT))],
      call: (name: Value) => {
        if (typeof name !== 'string') throw noOverload('format.named', name);
        const found = KNOWN.get(name);
        return found === undefined ? Optional.NONE : new Optional(found);
      },
    },
    {
      name: 'validate',
      overloads: [method([FORMAT, STRING], optionalOf(listOf(STRING)))],
      call: (format: Value, text: Value) => {
        if (!(format instanceof Format) || typeof text !== 'string') throw noOverload('validate', format, text);
        const problems = format.problemsOf(text);
        return problems.length === 0 ? Optional.NONE : new Optional([...problems]);
      },
      cost: TEXTS_COST,
    },
  ],
  types: { 'kubernetes.NamedFormat': FORMAT },
};
