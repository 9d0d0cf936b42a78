/** The syntax of names, label keys and label values, with the explanations of k8s.io/apimachinery. */

export type NameForm = 'subdomain' | 'label' | 'path-segment';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${QUALIFIED})?`;

const LABEL_PATTERN = new RegExp(`^${LABEL}$`);
const SUBDOMAIN_PATTERN = new RegExp(`^${SUBDOMAIN}$`);
const QUALIFIED_PATTERN = new RegExp(`^${QUALIFIED}$`);
const LABEL_VALUE_PATTERN = new RegExp(`^${LABEL_VALUE}$`);

export const nameCharsMax = 253;
const labelCharsMax = 63;

const WRONG_SUBDOMAIN = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN}')`;
const WRONG_LABEL = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`;
const QUALIFIED_RULE = `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED}')`;
const WRONG_LABEL_VALUE = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${LABEL_VALUE}')`;

function tooLong(max: number): string {
  return `must be no more than ${max} characters`;
}

/** Problems of a name; empty when it is valid. */
export function nameProblems(form: NameForm, name: string): string[] {
  switch (form) {
    case 'subdomain':
      return check(name, SUBDOMAIN_PATTERN, WRONG_SUBDOMAIN, nameCharsMax);
    case 'label':
      return check(name, LABEL_PATTERN, WRONG_LABEL, labelCharsMax);
    case 'path-segment': {
      if (name === '.' || name === '..') return [`may not be '${name}'`];
      return ['/', '%'].filter((char) => name.includes(char)).map((char) => `may not contain '${char}'`);
    }
  }
}

function check(text: string, pattern: RegExp, wrong: string, charsMax: number): string[] {
  // The length first: the patterns are linear, but megabytes would take long.
  if (text.length > charsMax) return [tooLong(charsMax)];
  return pattern.test(text) ? [] : [wrong];
}

/** Problems of a label key, annotation key or finalizer: `name`, or `domain/name`. */
export function qualifiedNameProblems(text: string): string[] {
  const parts = text.split('/');
  const [first = '', second] = parts;
  if (parts.length > 2) {
    return [
      `a qualified name ${QUALIFIED_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const problems: string[] = [];
  if (second !== undefined) {
    if (first === '') problems.push('prefix part must be non-empty');
    else problems.push(...nameProblems('subdomain', first).map((problem) => `prefix part ${problem}`));
  }
  const name = second ?? first;
  if (name === '') problems.push('name part must be non-empty');
  else if (name.length > labelCharsMax) problems.push(`name part ${tooLong(labelCharsMax)}`);
  if (name.length <= labelCharsMax && !QUALIFIED_PATTERN.test(name)) problems.push(`name part ${QUALIFIED_RULE}`);
  return problems;
}

export function labelValueProblems(value: string): string[] {
  return check(value, LABEL_VALUE_PATTERN, WRONG_LABEL_VALUE, labelCharsMax);
}
