import type { Command } from 'commander';
import type { EnvironmentVariable } from '#cli/environment.ts';
import { optionTable } from './command-line.ts';
import { code, table } from './markdown.ts';

/** The options and variables that configure a server, and those that verbs read which speak to one. */
export function configurationPage(
  program: Command,
  environment: { readonly server: readonly EnvironmentVariable[]; readonly client: readonly EnvironmentVariable[] },
): string {
  const [up, serve] = ['up', 'serve'].map((name) => program.commands.find((verb) => verb.name() === name));
  if (up === undefined || serve === undefined) throw new Error('there is no verb up or serve');
  const flags = new Set(up.options.map((option) => option.flags));
  const shared = serve.options.filter((option) => flags.has(option.flags));
  const own = (verb: Command) =>
    verb.options.filter((option) => !shared.some(({ flags: name }) => name === option.flags));
  return `# Configuration

A server is configured by options of \`backline up\` and \`backline serve\`, and by the environment. Everything else is declared as
resources. Both verbs take (the default level of the log is that of \`serve\`; of \`up\` it is \`warn\`):

${optionTable(shared)}

\`backline up\` alone takes:

${optionTable(own(up))}

\`backline serve\` alone takes:

${optionTable(own(serve))}

## Environment of servers

${environmentTable(environment.server)}

## Environment of other verbs

${environmentTable(environment.client)}
`;
}

function environmentTable(variables: readonly EnvironmentVariable[]): string {
  return table(
    ['variable', 'meaning'],
    variables.map(({ name, meaning }) => [code(name), meaning]),
  );
}
