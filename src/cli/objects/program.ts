import { Option } from 'commander';
import { connecting, examples, numberOf, type Verbs } from '../terminal/verbs.ts';
import type { GetOptions } from './get.ts';
import type { HistoryOptions } from './history.ts';

/** Verbs that show what is declared. */
export function addObjectVerbs(verbs: Verbs): void {
  addGet(verbs);
  addHistory(verbs);
}

function addGet({ program, io, end }: Verbs): void {
  connecting(program.command('get'))
    .description('show objects')
    .argument('<kinds>', 'KIND, KIND,KIND or KIND/NAME; plural, singular, short name, or with the group')
    .argument('[name]', 'of one object')
    .option('-n, --namespace <name>', 'where to look')
    .option('-A, --all-namespaces', 'look everywhere')
    .option('-l, --selector <labels>', 'only objects with such labels, like tier=paid')
    .option('-w, --watch', 'go on, and show each change until Ctrl-C')
    .option('--as-of <moment>', 'as they were declared at a version, or at a time like 2026-11-22T10:00:00Z')
    .addOption(
      new Option('-o, --output <form>', 'how').choices(['table', 'wide', 'json', 'yaml', 'name']).default('table'),
    )
    .addHelpText(
      'after',
      examples(
        'backline get plans -A',
        'backline get plan premium -o yaml',
        'backline get prices -l market=de',
        'backline get releases --watch',
      ),
    )
    .action(async (kinds: string, name: string | undefined, options: GetOptions) =>
      end(await (await import('./get.ts')).get(kinds, name, options, io)),
    );
}

function addHistory({ program, io, end }: Verbs): void {
  connecting(program.command('history'))
    .description('show who changed an object when, and what, newest first')
    .argument('<kind>', 'plural, singular, short name, or with the group')
    .argument('<name>', 'of the object')
    .option('-n, --namespace <name>', 'where it is')
    .option('--limit <number>', 'how many changes at most', numberOf(1, 10_000), 20)
    .option('--all', 'also changes of nothing but the status')
    .addOption(new Option('-o, --output <form>', 'output JSON').choices(['json', 'yaml']))
    .addHelpText(
      'after',
      examples('backline history plan premium -n aria', 'backline history price premium-de --limit 3'),
    )
    .action(async (kind: string, name: string, options: HistoryOptions) =>
      end(await (await import('./history.ts')).history(kind, name, options, io)),
    );
}
