// Draws a dashboard over answers that were asked for beforehand (drawn.json): stat, time series and table are Grafana's own
// components, fed through Grafana's own field overrides, display names and transformations. A state timeline and the
// frame around a panel are drawn here, since Grafana publishes no package of them.
import '@grafana/react-data-grid/lib/styles.css';
import React from 'react';
import { createRoot } from 'react-dom/client';
import * as data from '@grafana/data';
import { BigValue, BigValueJustifyMode, ThemeContext, TimeSeries } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const UNIT = 38; // the height of a unit of Grafana's grid, with its gap
const GAP = 8;
const HEADER = 32;
const PADDING = 8;
const as_is = (text) => text;

// Grafana's registries are filled by its server's pages; only what the dashboards use is needed here.
const FIELD_OPTIONS = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'thresholds', 'mappings', 'noValue', 'links'];
const option = (id, path, isCustom) => ({
  id: isCustom ? `custom.${id}` : id,
  path,
  name: id,
  isCustom,
  process: data.identityOverrideProcessor,
  // As in Grafana: the label of an axis is not for the one of time.
  shouldApply: (field) => id !== 'axisLabel' || field.type !== 'time',
  override: () => null,
  editor: () => null,
});
data.standardEditorsRegistry.setInit(() => []);
data.standardFieldConfigEditorRegistry.setInit(() => FIELD_OPTIONS.map((id) => option(id, id, false)));
const transformers = data.standardTransformers;
data.standardTransformersRegistry.setInit(() =>
  [
    transformers.mergeTransformer,
    transformers.organizeFieldsTransformer,
    transformers.orderFieldsTransformer,
    transformers.renameFieldsTransformer,
    transformers.filterFieldsTransformer,
    transformers.filterFieldsByNameTransformer,
    transformers.labelsToFieldsTransformer,
  ].map((each) => ({ id: each.id, name: each.name, transformation: async () => each }))
);

// In Grafana a panel's plugin says which options it has; here they are those that the panel sets.
function fieldRegistry({ defaults, overrides }) {
  const overridden = overrides.flatMap(({ properties }) => properties.map(({ id }) => id));
  const custom = new Set([
    ...Object.keys(defaults.custom ?? {}),
    ...overridden.filter((id) => id.startsWith('custom.')).map((id) => id.slice('custom.'.length)),
  ]);
  return new data.FieldConfigOptionsRegistry(() => [
    ...FIELD_OPTIONS.map((id) => option(id, id, false)),
    ...[...custom].map((id) => option(id, id, true)),
  ]);
}

const legend = (format, labels) => format.replace(/\{\{(\w+)\}\}/g, (_, name) => labels[name] ?? '');

// What Grafana's data source makes of an answer of Prometheus. With the step, a gap is drawn as one.
function frames(target, result, step, alone) {
  if (target.format === 'table') {
    const labels = [...new Set(result.flatMap((series) => Object.keys(series.metric)))].sort();
    const column = (name, type, values) => ({ name, type, values, config: {} });
    const frame = data.toDataFrame({
      refId: target.refId,
      fields: [
        column('Time', 'time', result.map((series) => series.value[0] * 1000)),
        ...labels.map((name) => column(name, 'string', result.map((series) => series.metric[name] ?? ''))),
        column(alone ? 'Value' : `Value #${target.refId}`, 'number', result.map((series) => Number(series.value[1]))),
      ],
    });
    return result.length ? [frame] : [];
  }
  return result.map((series) => {
    const points = series.values ?? [series.value];
    const name = legend(target.legendFormat, series.metric);
    return data.toDataFrame({
      refId: target.refId,
      name,
      fields: [
        { name: 'Time', type: 'time', values: points.map(([at]) => at * 1000), config: { interval: step } },
        {
          name: 'Value',
          type: 'number',
          labels: series.metric,
          values: points.map(([, value]) => Number(value)),
          config: name ? { displayNameFromDS: name } : {},
        },
      ],
    });
  });
}

async function prepared(panel, theme, range) {
  const alone = panel.answers.filter((answer) => answer.length).length === 1;
  let series = panel.targets.flatMap((target, index) => frames(target, panel.answers[index], range.step, alone));
  if (panel.transformations) {
    series = await new Promise((done) => data.transformDataFrame(panel.transformations, series).subscribe(done));
  }
  series = data.applyFieldOverrides({
    data: series,
    fieldConfig: panel.fieldConfig,
    replaceVariables: as_is,
    theme,
    timeZone: 'utc',
    fieldConfigRegistry: fieldRegistry(panel.fieldConfig),
  });
  data.cacheFieldDisplayNames(series);
  return series;
}

function Stat({ panel, series, theme, width, height }) {
  const values = data.getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: as_is,
    theme,
    data: series,
    timeZone: 'utc',
    sparkline: false,
  });
  return (
    <div style={{ display: 'flex' }}>
      {values.map((value, index) => (
        <BigValue
          key={index}
          width={width / values.length - 4}
          height={height}
          value={value.display}
          theme={theme}
          colorMode={panel.options.colorMode}
          graphMode="none"
          textMode={panel.options.textMode}
          justifyMode={BigValueJustifyMode.Auto}
          count={values.length}
        />
      ))}
    </div>
  );
}

function Timeline({ panel, series, theme, width, height, range }) {
  const left = 90;
  const row = (height - 20) / series.length;
  const x = (at) => left + ((at - range.from) / (range.to - range.from)) * (width - left - 10);
  const spans = series.map((frame) => {
    const [times, values] = frame.fields;
    const found = [];
    times.values.forEach((at, index) => {
      const last = found[found.length - 1];
      const value = values.values[index];
      if (last && last.value === value && at - last.to <= 2.1 * range.step) last.to = at;
      else {
        if (last && at - last.to <= 2.1 * range.step) last.to = at;
        found.push({ value, from: at, to: at + range.step });
      }
    });
    return { name: data.getFieldDisplayName(values, frame, series), found, display: values.display };
  });
  const ticks = Array.from({ length: 6 }, (_, index) => range.from + ((index + 0.5) * (range.to - range.from)) / 6);
  return (
    <svg width={width} height={height} fontSize={12} fontFamily="Inter, Helvetica, Arial">
      {spans.map(({ name, found, display }, line) => (
        <g key={name}>
          <text x={left - 8} y={(line + 0.5) * row + 4} textAnchor="end" fill={theme.colors.text.primary}>
            {name}
          </text>
          {found.map(({ value, from, to }) => {
            const shown = display(value);
            const wide = x(to) - x(from);
            return (
              <g key={from}>
                <rect x={x(from)} y={line * row + 3} width={Math.max(1, wide)} height={row - 6} fill={shown.color} opacity={0.8} />
                {wide > 8 * shown.text.length && (
                  <text x={x(from) + 6} y={(line + 0.5) * row + 4} fill={theme.colors.getContrastText(shown.color)}>
                    {shown.text}
                  </text>
                )}
              </g>
            );
          })}
        </g>
      ))}
      {ticks.map((at) => (
        <text key={at} x={x(at)} y={height - 4} textAnchor="middle" fill={theme.colors.text.secondary}>
          {new Date(at).toISOString().slice(11, 19)}
        </text>
      ))}
    </svg>
  );
}

function Content({ panel, series, theme, width, height, range }) {
  if (!series.length) {
    const said = panel.fieldConfig.defaults.noValue;
    return <div style={{ padding: 20, color: theme.colors.text.secondary, fontSize: said ? 28 : 14 }}>{said ?? 'No data'}</div>;
  }
  if (panel.type === 'stat') return <Stat {...{ panel, series, theme, width, height }} />;
  if (panel.type === 'state-timeline') return <Timeline {...{ panel, series, theme, width, height, range }} />;
  if (panel.type === 'table') {
    return (
      <TableNG
        data={series[0]}
        width={width}
        height={height}
        initialSortBy={panel.options.sortBy}
        cellHeight="sm"
        enableSharedCrosshair={false}
        getActions={() => []}
        structureRev={1}
        fieldConfig={panel.fieldConfig}
        timeRange={{}}
        replaceVariables={as_is}
      />
    );
  }
  return (
    <TimeSeries
      frames={series}
      timeRange={{ from: data.dateTime(range.from), to: data.dateTime(range.to), raw: { from: 'now-5m', to: 'now' } }}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options.legend}
      options={panel.options}
      replaceVariables={as_is}
    >
      {() => null}
    </TimeSeries>
  );
}

function Frame({ panel, theme, x, y, width, height, children }) {
  const style = {
    position: 'absolute',
    left: x,
    top: y,
    width,
    height,
    overflow: 'hidden',
    background: theme.colors.background.primary,
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: 2,
  };
  return (
    <div style={style}>
      <div style={{ padding: '6px 8px', fontSize: 14, fontWeight: 500, height: 28, whiteSpace: 'nowrap' }}>
        {panel.title}
      </div>
      <div style={{ padding: `0 ${PADDING}px` }}>{children}</div>
    </div>
  );
}

class Safe extends React.Component {
  state = {};
  static getDerivedStateFromError(error) {
    console.error(`could not draw: ${error.stack}`);
    return { error };
  }
  render() {
    return this.state.error ? <pre>{String(this.state.error)}</pre> : this.props.children;
  }
}

async function draw() {
  const { panels, range, mode } = await (await fetch('drawn.json')).json();
  const theme = data.createTheme({ colors: { mode } });
  const unit = (window.innerWidth - GAP) / 24;
  const shown = [];
  for (const panel of panels) {
    const { x, y, w, h } = panel.gridPos;
    const at = { x: GAP + x * unit, y: GAP + y * UNIT, width: w * unit - GAP, height: h * UNIT - GAP };
    if (panel.type === 'row') {
      shown.push(
        <div key={panel.id} style={{ position: 'absolute', left: at.x, top: at.y + 4, fontSize: 15, fontWeight: 500 }}>
          ⌄ {panel.title}
        </div>
      );
      continue;
    }
    const series = await prepared(panel, theme, range);
    const inner = { width: at.width - 2 * PADDING - 2, height: at.height - HEADER };
    shown.push(
      <Frame key={panel.id} {...{ panel, theme, ...at }}>
        <Safe>
          <Content {...{ panel, series, theme, range, ...inner }} />
        </Safe>
      </Frame>
    );
  }
  document.body.style.background = theme.colors.background.canvas;
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <div style={{ position: 'relative', color: theme.colors.text.primary, fontFamily: 'Inter, Helvetica, Arial' }}>{shown}</div>
    </ThemeContext.Provider>
  );
}

draw().catch((error) => console.error(`could not draw: ${error.stack}`));
