/** What an app may call its figures, and tell of them: what a graph can name. */
export const longestMetricName = 200;
export const longestLabelValue = 1_000;
export const mostLabels = 32;
