import { Option } from 'commander';
import { connecting, examples, numberOf, type Verbs } from '../terminal/verbs.ts';
import type { LogOptions } from './logs.ts';
import type { StatusOptions } from './status.ts';

/** As of an InstanceLog. */
const LINES = { usual: 100, most: 10_000 } as const;

/** Verbs for Components in clusters. */
export function addDeployVerbs(verbs: Verbs): void {
  const program = verbs.program.command('deploy').description('show Components in their clusters, and what they log');
  const noun = { ...verbs, program };
  addStatus(noun);
  addLogs(noun);
}

function addStatus({ program, io, end }: Verbs): void {
  connecting(program.command('status'))
    .description('show where Components run, which revision gets how much, and the release under way')
    .argument('[component]', 'name of one Component, or NAMESPACE/NAME; without it all')
    .option('-n, --namespace <name>', 'where to look; without it and without a name, everywhere')
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'json']).default('table'))
    .addHelpText('after', examples('backline deploy status', 'backline deploy status player-api -o json'))
    .action(async (component: string | undefined, options: StatusOptions) =>
      end(await (await import('./status.ts')).status(component, options, io)),
    );
}

function addLogs({ program, io, end }: Verbs): void {
  connecting(program.command('logs'))
    .description('print the last lines of the replicas of a Component')
    .argument('<component>', 'name of the Component, or NAMESPACE/NAME')
    .option('-n, --namespace <name>', 'where it is')
    .option('--cluster <name>', 'one Cluster; without it all that run it')
    .option('--revision <digits>', 'first digits of one revision')
    .option('--text <text>', 'only lines that contain it')
    .option('--lines <number>', `lines of each replica (${LINES.usual})`, numberOf(1, LINES.most), LINES.usual)
    .addHelpText(
      'after',
      examples('backline deploy logs player-api', 'backline deploy logs player-api --cluster lund --text Error'),
    )
    .action(async (component: string, options: LogOptions) =>
      end(await (await import('./logs.ts')).logs(component, options, io)),
    );
}
