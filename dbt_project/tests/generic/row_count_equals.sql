{#-
    One row when a model has not as many rows as another: a join that loses or doubles rows shows at once, for the
    price of two counts, where a test of uniqueness would sort every member. The other relation is given by its
    name, not by ref: it is upstream anyway, and building it alone must not run a test of what is not built yet.
-#}
{% test row_count_equals(model, compare_to) %}

with model_count as (
    select count(*) as row_count from {{ model }}
),

expected_count as (
    select count(*) as row_count from {{ compare_to }}
)

select
    model_count.row_count,
    expected_count.row_count as expected_row_count
from model_count
cross join expected_count
where model_count.row_count <> expected_count.row_count

{% endtest %}
