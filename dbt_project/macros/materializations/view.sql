{% materialization view, adapter='duckdb', supported_languages=['sql'] %}
  {#- A view replaced in one statement, in place, for the reasons that hold for tables. -#}
  {%- set existing = load_cached_relation(this) -%}
  {%- set target = this.incorporate(type='view') -%}
  {%- if existing is not none and not existing.is_view -%}
    {%- do adapter.drop_relation(existing) -%}
  {%- endif -%}
  {{ run_hooks(pre_hooks) }}
  {% call statement('main') -%}
    create or replace view {{ target }} as {{ compiled_code }}
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {%- do adapter.commit() -%}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}
