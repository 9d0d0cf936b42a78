/** Characters that XML 1.0 has no way to write; with them, a document is none. */
// oxlint-disable-next-line no-control-regex
const UNWRITABLE = /[^\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // Attributes and texts are read back as they were written.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** A text as it stands in an element or in quotes. */
export function escape(text: string): string {
  return text.replaceAll(UNWRITABLE, '\ufffd').replaceAll(/[&<>"\t\n\r]/g, (found) => ENTITIES[found] ?? found);
}

/** A text as a section that parsers take as it is. */
export function cdata(text: string): string {
  return `<![CDATA[${text.replaceAll(UNWRITABLE, '\ufffd').replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}

/** Characters that no URI has (RFC 3986), and macros of VAST like [CACHEBUSTING], which the player replaces. */
const MACRO_OR_FOREIGN = /\[[A-Z0-9_]+\]|%(?![0-9A-Fa-f]{2})|[^\w\-.~:/?#@!$&'()*+,;=%]/gu;

/** An address as the content of an element. Characters that no URI has are encoded. */
export function uri(address: string): string {
  const [start = '', ...fragment] = address.toWellFormed().split('#');
  const whole = fragment.length === 0 ? start : `${start}#${fragment.join('%23')}`;
  const encoded = whole.replaceAll(MACRO_OR_FOREIGN, (found) => (found.length > 2 ? found : encodeURIComponent(found)));
  return cdata(encoded);
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element. `content` is XML already. */
export function element(name: string, attributes: Attributes, ...content: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) =>
    value === undefined ? '' : ` ${key}="${escape(String(value))}"`,
  );
  const inside = content.join('');
  return inside === '' ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${inside}</${name}>`;
}
