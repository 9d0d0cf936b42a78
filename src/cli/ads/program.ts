import { InvalidArgumentError, Option, type Command } from 'commander';
import { DIMENSION_NAMES, type Dimension } from '#domains/ads/rules/report-sql.ts';
import { connecting, examples, numberOf, type Verbs } from '../terminal/verbs.ts';
import type { AskOptions } from './ask.ts';
import type { DiagnoseOptions } from './diagnose.ts';
import type { ReportOptions } from './report.ts';
import type { ReconcileOptions } from './reconcile.ts';
import type { TreeOptions } from './tree.ts';

/** Accounts of a page of `ads tree`: each costs a list of every kind below it. */
const ACCOUNTS = { usual: 20, most: 200 } as const;

/** As of a Query. */
const REPORT_ROWS_MAX = 100_000;

/** Of `ads reconcile`. */
const TIMEOUT_SECONDS_MAX = 3_600;

/** Verbs for the ads of advertisers. */
export function addAdVerbs(verbs: Verbs): void {
  const program = verbs.program
    .command('ads')
    .description('show ads and their state, ask for breaks, and read what was delivered');
  const noun = { ...verbs, program };
  addTree(noun);
  addDecide(noun);
  addExplain(noun);
  addDiagnose(noun);
  addReconcile(noun);
  addReport(noun);
}

function addTree({ program, io, end }: Verbs): void {
  connecting(program.command('tree'))
    .description('show advertisers with their campaigns, ad sets, ads and assets, and why an ad set is not served')
    .argument('[account]', 'name of one Advertiser, or NAMESPACE/NAME; without it all, a page at a time')
    .option('-n, --namespace <name>', 'where to look')
    .option('--limit <number>', `accounts of a page (${ACCOUNTS.usual})`, numberOf(1, ACCOUNTS.most), ACCOUNTS.usual)
    .option('--continue <token>', 'the next page: the token that the page before ended with')
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      examples('backline ads tree acme', 'backline ads tree --limit 50', 'backline ads tree -o json'),
    )
    .action(async (account: string | undefined, options: TreeOptions) =>
      end(await (await import('./tree.ts')).tree(account, options, io)),
    );
}

function addDecide({ program, io, end }: Verbs): void {
  asking(program.command('decide'))
    .description('ask for the ads of a break as an app does; their money is reserved until they can play no more')
    .addHelpText(
      'after',
      examples(
        'backline ads decide --placement between-songs --plan free --market de',
        'backline ads decide --placement between-songs --listener u1 --context genre=jazz -o json',
      ),
    )
    .action(async (options: AskOptions) => end(await (await import('./ask.ts')).decide(options, io)));
}

function addExplain({ program, io, end }: Verbs): void {
  asking(program.command('explain'))
    .description('ask why: what is in the break, the best that are not, and how many are not for which reason')
    .addHelpText(
      'after',
      examples(
        'backline ads explain --placement between-songs --plan free --market de',
        'backline ads explain --placement between-songs --listener u1 --age 15 -o json',
      ),
    )
    .action(async (options: AskOptions) => end(await (await import('./ask.ts')).explain(options, io)));
}

function addDiagnose({ program, io, end }: Verbs): void {
  connecting(program.command('diagnose'))
    .description('say why an ad set does not spend its budget: what its requests are lost to, and what helps')
    .argument('<adset>', 'name of the AdSet, or NAMESPACE/NAME')
    .option('-n, --namespace <name>', 'where it is')
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'json']).default('table'))
    .addHelpText('after', examples('backline ads diagnose acme.runners', 'backline ads diagnose acme.runners -o json'))
    .action(async (adSet: string, options: DiagnoseOptions) =>
      end(await (await import('./diagnose.ts')).diagnose(adSet, options, io)),
    );
}

function addReconcile({ program, io, end }: Verbs): void {
  connecting(program.command('reconcile'))
    .description('compare the ledger of an account with the charges of its events, to the micro-unit; 1 if they differ')
    .argument('<account>', 'name of the Advertiser, or NAMESPACE/NAME')
    .option('-n, --namespace <name>', 'where it is')
    .option('--timeout <seconds>', 'how long to wait until events are in files', numberOf(1, TIMEOUT_SECONDS_MAX), 300)
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'json']).default('table'))
    .addHelpText('after', examples('backline ads reconcile acme', 'backline ads reconcile acme -o json'))
    .action(async (account: string, options: ReconcileOptions) =>
      end(await (await import('./reconcile.ts')).reconcile(account, options, io)),
    );
}

function addReport({ program, io, end }: Verbs): void {
  connecting(program.command('report'))
    .description('what was delivered: impressions, reach, frequency, completions, clicks, spend and eCPM, by currency')
    .option('--by <names>', `split by some of ${DIMENSION_NAMES.join(', ')}; else totals`, parseDimensions, [])
    .option('--fill', 'instead: breaks, the ads that they asked for, and the share that was answered')
    .option(
      '--account <name>',
      'of one Advertiser (NAME or NAMESPACE/NAME), whose zone days are in; else of all, in UTC',
    )
    .option('-n, --namespace <name>', 'where the account is')
    .option('--from <moment>', 'events from then on: a date or an instant')
    .option('--until <moment>', 'events before: a date or an instant')
    .option('--limit <number>', 'rows at most', numberOf(1, REPORT_ROWS_MAX))
    .option('--file <file>', 'where the result goes; else standard output')
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'csv', 'json']).default('table'))
    .addHelpText(
      'after',
      examples(
        'backline ads report --account acme --by campaign,day --from 2026-12-01 --until 2027-01-01',
        'backline ads report --by placement,hour -o csv --file hours.csv',
        'backline ads report --fill --by placement,market,hour',
      ),
    )
    .action(async (options: ReportOptions) => end(await (await import('./report.ts')).report(options, io)));
}

function parseDimensions(text: string): readonly Dimension[] {
  const names = text.split(',');
  const found = DIMENSION_NAMES.filter((name) => names.includes(name));
  if (found.length < names.length) {
    throw new InvalidArgumentError(`It must be different names of ${DIMENSION_NAMES.join(', ')}, like campaign,day.`);
  }
  return names as readonly string[] as readonly Dimension[];
}

function asking(command: Command): Command {
  return connecting(command)
    .requiredOption('--placement <name>', 'the Placement')
    .option('--listener <id>', 'who listens: their record, histories and the releases that they see count')
    .option('--plan <name>', 'the plan, of a listener without a subscription on record')
    .option('--role <name>', 'the role of the listener on the plan')
    .option('--market <name>', 'where the listener is: a market')
    .option('--territory <code>', 'where the listener is: a territory, like DE')
    .option('--household <id>', 'for frequency caps')
    .option('--device <id>', 'for frequency caps')
    .option('--session <id>', 'for frequency caps: one use of the app')
    .option('--age <years>', 'age of the listener', numberOf(0, 150))
    .option('--zone <zone>', 'IANA zone of the listener, for day parts')
    .option('--tcf <string>', 'consent string of TCF')
    .option('--gpp <string>', 'consent string of GPP')
    .option('--context <attributes...>', 'what is known of the listener, like genre=jazz')
    .option('--slots <number>', 'fewer slots than the placement has', numberOf(1, 20))
    .option('--seconds <number>', 'a shorter break than its longest', numberOf(1, 600))
    .option('--filters-explicit', 'the listener filters what is explicit')
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'json']).default('table'));
}
