{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
  {{ return(replaced_in_place('table')) }}
{% endmaterialization %}
