{% materialization view, adapter='duckdb', supported_languages=['sql'] %}
  {{ return(replaced_in_place('view')) }}
{% endmaterialization %}
