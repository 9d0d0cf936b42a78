import type { Argument, Command, Option } from 'commander';

export type Shell = 'bash' | 'zsh' | 'fish';

/** A verb, by the words that lead to it, and what may follow. */
interface Place {
  readonly words: readonly string[];
  readonly description: string;
  readonly options: readonly Option[];
  readonly next: readonly { readonly word: string; readonly description: string }[];
}

/** A script for a shell that completes the verbs of a program, their options, and words of which there are only some. */
export function completionOf(program: Command, shell: Shell): string {
  const places = [...placesOf(program, [])];
  switch (shell) {
    case 'bash':
      return bash(program.name(), places);
    case 'zsh':
      // Its own completion of bash scripts.
      return `#compdef ${program.name()}\nautoload -U +X bashcompinit && bashcompinit\n${bash(program.name(), places)}`;
    case 'fish':
      return fish(program.name(), places);
    default:
      return shell satisfies never;
  }
}

function* placesOf(command: Command, words: readonly string[]): Generator<Place> {
  const help = command.createHelp();
  const verbs = help.visibleCommands(command).filter((verb) => verb.name() !== 'help' || words.length === 0);
  const choices = command.registeredArguments.flatMap((argument: Argument) => argument.argChoices ?? []);
  yield {
    words,
    description: command.description(),
    options: help.visibleOptions(command),
    next: [
      ...verbs.map((verb) => ({ word: verb.name(), description: verb.description() })),
      ...choices.map((word) => ({ word, description: '' })),
    ],
  };
  for (const verb of command.commands) yield* placesOf(verb, [...words, verb.name()]);
}

function flagsOf({ short, long }: Option): readonly string[] {
  return [short, long].filter((flag) => flag !== undefined && flag !== null);
}

function bash(name: string, places: readonly Place[]): string {
  const quote = (words: readonly string[]): string => `'${words.join(' ')}'`;
  const cases = places.map(
    ({ words, options, next }) =>
      `    ${quote(words)}) words=${quote([...next.map(({ word }) => word), ...options.flatMap(flagsOf)])} ;;`,
  );
  const values = places.flatMap(({ words, options }) =>
    options.flatMap((option) =>
      (option.argChoices ?? []).length === 0
        ? []
        : flagsOf(option).map((flag) => `    ${quote([...words, flag])}) words=${quote(option.argChoices ?? [])} ;;`),
    ),
  );
  const verbs = places.map(({ words }) => words.join(' ')).filter((words) => words !== '');
  return `_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} verb='' words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$verb\${verb:+ }\${COMP_WORDS[index]}" in
    ${verbs.map((words) => `'${words}'`).join('|')}) verb="$verb\${verb:+ }\${COMP_WORDS[index]}" ;;
    esac
  done
  case "$verb\${verb:+ }$before" in
${values.join('\n')}
    *) case "$verb" in
${cases.join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _${name} ${name}
`;
}

function fish(name: string, places: readonly Place[]): string {
  const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
  return `${places
    .flatMap(({ words, options, next }) => {
      const [verb, sub] = words;
      const condition =
        verb === undefined
          ? '__fish_use_subcommand'
          : sub === undefined
            ? `__fish_seen_subcommand_from ${verb}`
            : `__fish_seen_subcommand_from ${verb}; and __fish_seen_subcommand_from ${sub}`;
      const head = `complete -c ${name} -n ${quote(condition)}`;
      return [
        ...next.map(({ word, description }) => `${head} -f -a ${quote(word)} -d ${quote(description)}`),
        ...options.map((option) => {
          const short = option.short === undefined || option.short === null ? '' : ` -s ${option.short.slice(1)}`;
          const long = option.long === undefined || option.long === null ? '' : ` -l ${option.long.slice(2)}`;
          const value = option.required ? ' -r' : '';
          const choices = option.argChoices === undefined ? '' : ` -f -a ${quote(option.argChoices.join(' '))}`;
          return `${head}${short}${long}${value}${choices} -d ${quote(option.description)}`;
        }),
      ];
    })
    .join('\n')}\n`;
}
