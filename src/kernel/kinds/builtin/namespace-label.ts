/** Every namespace has its name in this label, so that selectors can name namespaces. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** The labels of a namespace as stored: those that were sent, with its name. */
export function labelledByName(labels: Readonly<Record<string, string>> | null | undefined, name: string) {
  return { ...labels, [NAME_LABEL]: name };
}

/** Whether a namespace has the label; older ones may lack it. */
export function isLabelledByName(labels: Readonly<Record<string, string>>, name: string): boolean {
  return labels[NAME_LABEL] === name;
}
