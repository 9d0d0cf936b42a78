import { CliFailure, EXIT } from './failure.ts';

/**
 * An attribute of `--context`, `name=value`; the value is JSON where it is such, else text. A number that is written
 * otherwise than JavaScript writes it (an id of 20 digits, 1e3) is a text: another number would be asked about.
 */
export function parseAttribute(text: string): [name: string, value: unknown] {
  const mark = text.indexOf('=');
  if (mark < 1) {
    throw new CliFailure(`--context ${text} cannot be read.`, {
      exitCode: EXIT.usage,
      remedy: 'Write it like plan=free, age=20, genres=\'["pop","jazz"]\' or appVersion=\'"9"\' (text in quotes).',
    });
  }
  const value = text.slice(mark + 1);
  try {
    const parsed: unknown = JSON.parse(value);
    return [text.slice(0, mark), typeof parsed === 'number' && String(parsed) !== value ? value : parsed];
  } catch {
    return [text.slice(0, mark), value];
  }
}
