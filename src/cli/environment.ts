/** A variable of the environment that the program reads. */
export interface EnvironmentVariable {
  readonly name: string;
  readonly meaning: string;
}

/** Read by verbs that run a server. */
export const SERVER_ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: 'DATABASE_URL', meaning: 'PostgreSQL to use instead of the embedded one' },
  { name: 'QUOTA_DATABASE_URLS', meaning: 'more databases that usage counters are spread over, separated by commas' },
];

/** Read by verbs that speak to a server. */
export const CLIENT_ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: 'BACKLINE_KUBECONFIG', meaning: 'kubeconfig file, where --kubeconfig names none' },
  { name: 'KUBECONFIG', meaning: 'kubeconfig files of kubectl, where no other is named or found' },
  { name: 'BACKLINE_TOKEN', meaning: 'token for the API server that --api names, where no kubeconfig has one' },
  { name: 'NO_COLOR', meaning: 'prints no colours when it is set' },
  { name: 'TERM', meaning: '`dumb` prints no colours, and no view that redraws itself' },
];

/** The part of a help text that names variables. */
export function environmentHelp(variables: readonly EnvironmentVariable[]): string {
  const width = Math.max(...variables.map(({ name }) => name.length));
  return `\nEnvironment:\n${variables.map(({ name, meaning }) => `  ${name.padEnd(width)}   ${meaning}\n`).join('')}`;
}
