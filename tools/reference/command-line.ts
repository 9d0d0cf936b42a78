import type { Command, Option } from 'commander';
import { code, table } from './markdown.ts';

/** Every verb of the command line with its arguments and options. */
export function commandLinePage(program: Command): string {
  const verbs = leavesOf(program, []).map(({ command, path }) => verb(command, path));
  return `# Command line\n\n${program.description()}\n\n${verbs.join('\n\n')}\n`;
}

function leavesOf(command: Command, path: readonly string[]): { command: Command; path: readonly string[] }[] {
  return command.commands.flatMap((child) => {
    const own = [...path, child.name()];
    const isGroup = child.commands.length > 0;
    return [...(isGroup ? [] : [{ command: child, path: own }]), ...leavesOf(child, own)];
  });
}

function verb(command: Command, path: readonly string[]): string {
  const parameters = command.registeredArguments.map((argument) => {
    const text = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return argument.required ? `<${text}>` : `[${text}]`;
  });
  const parts = [`## backline ${path.join(' ')}`, sentence(command.description())];
  parts.push(`\`\`\`\nbackline ${[...path, ...parameters].join(' ')}\n\`\`\``);
  const options = optionTable(command.options);
  if (options !== '') parts.push(options);
  return parts.join('\n\n');
}

/** A table of options with their defaults. */
export function optionTable(options: readonly Option[]): string {
  if (options.length === 0) return '';
  const rows = options.map((option) => [code(option.flags), defaultOf(option), meaningOf(option)]);
  return table(['option', 'default', 'meaning'], rows);
}

function defaultOf({ defaultValue, negate }: Option): string {
  const value: unknown = defaultValue;
  if (value === undefined || negate) return '';
  return code(Array.isArray(value) ? value.join(' ') : String(value));
}

function meaningOf({ description, argChoices }: Option): string {
  return argChoices === undefined ? description : `${description}: ${argChoices.map(code).join(', ')}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
